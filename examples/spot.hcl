# A machine to build on: spare capacity at a fraction of the price, of whichever type and zone there is, and no more of it
# than you want to pay for.
#
#   rsync -e "ssh -J jump@localhost:7922" -a src/ build@builder:src/

server {
  listen         = "localhost:7922"
  host_key       = env("LAZYSSH_HOST_KEY")
  authorized_key = env("LAZYSSH_AUTHORIZED_KEY")
}

target "builder" "aws_ec2" {
  image_id      = "resolve:ssm:/aws/service/debian/release/12/latest/arm64"
  instance_type = ["c7g.4xlarge", "c6g.4xlarge", "m7g.4xlarge"]
  subnet_id     = ["subnet-0123456789abcdef0", "subnet-0fedcba9876543210"]
  key_name      = "build"
  region        = "us-west-2"
  linger        = "10m"
  idle_timeout  = "1h"
  hourly_price  = 0.29

  spot {
    fallback = "on-demand"
  }

  budget {
    hours_per_day = 6
  }
}
