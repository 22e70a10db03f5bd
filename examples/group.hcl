# One configuration for the jump hosts on all of your computers. They share the machine of "desk": whichever of them starts it, the
# others find it, and it rests, with its disk kept, when nobody needs it.

server {
  listen         = "localhost:7922"
  host_key       = env("LAZYSSH_HOST_KEY")
  authorized_key = env("LAZYSSH_AUTHORIZED_KEY")
  group          = "home"
  max_machines   = 3
  metrics        = "localhost:9922"
}

target "desk" "aws_ec2" {
  image_id      = "resolve:ssm:/aws/service/debian/release/12/latest/arm64"
  instance_type = "t4g.large"
  key_name      = "home"
  region        = "us-west-2"
  stop_mode     = "stop"
  linger        = "15m"
  max_lifetime  = "12h"
}
