# A ZFS pool on a volume that outlives its machine. Before the machine is stopped the pool is exported, so that the next one can
# import it without force.
#
# The key for it is one of its own, which lets root do nothing but this. In the image, root's authorized_keys has:
#
#   restrict,command="zpool export tank" ssh-ed25519 AAAA…

server {
  listen         = "localhost:7922"
  host_key       = env("LAZYSSH_HOST_KEY")
  authorized_key = env("LAZYSSH_AUTHORIZED_KEY")
}

target "archiver" "aws_ec2" {
  image_id      = "ami-0123456789abcdef0"
  instance_type = ["t4g.nano", "t4g.micro"]
  key_name      = "backup"
  region        = "us-west-2"

  placement {
    availability_zone = "us-west-2d"
  }

  attach_volume {
    device_name = "/dev/sdf"
    volume_id   = "vol-0123456789abcdef0"
  }

  before_stop {
    commands    = [["zpool", "export", "tank"]]
    private_key = env("LAZYSSH_BEFORE_STOP_KEY")
  }
}
