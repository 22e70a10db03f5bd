# A backup machine on EC2 that exists only while somebody is connected. Its volume stays.
#
#   zfs send tank/home@now | ssh -J jump@localhost:7922 root@archiver zfs receive backup/home

variable "zone" {
  description = "The availability zone of the volume: an instance can attach it only there."
  default     = "us-west-2d"
}

server {
  listen         = "localhost:7922"
  host_key       = env("LAZYSSH_HOST_KEY")
  authorized_key = env("LAZYSSH_AUTHORIZED_KEY")
}

target "archiver" "aws_ec2" {
  image_id      = "resolve:ssm:/aws/service/debian/release/12/latest/arm64"
  instance_type = "t4g.nano"
  key_name      = "backup"
  region        = "us-west-2"
  linger        = "5m"

  placement {
    availability_zone = var.zone
  }

  attach_volume {
    device_name = "/dev/sdf"
    volume_id   = "vol-0123456789abcdef0"
  }

  # In a heredoc "$${" stands for "${".
  user_data = <<-EOT
    #!/bin/sh
    set -e
    device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0
    until [ -e "$${device}" ]; do sleep 1; done
    mount "$${device}" /mnt
  EOT
}
