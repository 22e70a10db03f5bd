# A jump host on a laptop that may be closed, lost or without network at any time: the machine powers itself off when it has
# seen nobody for half an hour.

server {
  listen         = "localhost:7922"
  host_key       = env("LAZYSSH_HOST_KEY")
  authorized_key = env("LAZYSSH_AUTHORIZED_KEY")
}

target "scratch" "aws_ec2" {
  image_id           = "resolve:ssm:/aws/service/debian/release/12/latest/arm64"
  instance_type      = "t4g.small"
  key_name           = "laptop"
  region             = "us-west-2"
  security_group_ids = ["sg-0123456789abcdef0"]
  dead_man           = "30m"

  user_data = <<-EOT
    #cloud-config
    packages: [git, tmux]
  EOT
}
