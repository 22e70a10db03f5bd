# Backups to a cold volume, all in one file: the jump host that starts the machine, and the job that sends snapshots to it.
#
#   lazyssh -config backup.hcl                          # on the jump host
#   lazyssh replicate --config backup.hcl safe          # after each snapshot, as root of the machine that has rpool/safe
#   lazyssh replicate check --config backup.hcl safe --offline --max-age 2h
#
# "lazyssh replicate" reads all of it, so that the server's variables are set for it, too; a job may as well have a file of its own.
# The pool is made once, by hand, while somebody is connected: ssh -J jump@localhost:7922 root@archiver, and there
# zpool create -o ashift=12 -O mountpoint=none backup /dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0

server {
  listen         = "localhost:7922"
  host_key       = env("LAZYSSH_HOST_KEY")
  authorized_key = env("LAZYSSH_AUTHORIZED_KEY")
}

target "archiver" "aws_ec2" {
  image_id      = "resolve:ssm:/aws/service/debian/release/12/latest/arm64"
  instance_type = "t4g.small"
  key_name      = "backup"
  region        = "us-west-2"

  placement {
    availability_zone = "us-west-2d" # of the volume
  }

  attach_volume {
    device_name = "/dev/sdf"
    volume_id   = "vol-0123456789abcdef0"
  }
}

replicate "safe" {
  source      = "rpool/safe"
  target      = "archiver"
  destination = "backup/safe"
  recursive   = true

  snapshots {
    include = ["zfs-auto-snap_*"]
  }

  ssh {
    user = "root"
  }

  keep {
    last    = 4
    hourly  = 24
    daily   = 7
    weekly  = 4
    monthly = 12
  }

  # Nothing is mounted over there, and the pool is let go before the machine is.
  before = ["sh", "-c", "zpool list backup || zpool import -N backup"]
  after  = ["zpool", "export", "backup"]

  report {
    on_start {
      url = "https://ping.example/start"
    }
    on_success {
      url     = "https://ping.example/1/events/zfs-replication"
      headers = { "X-Team" = env("EVENTS_KEY") }
    }
    on_failure {
      url = "https://ping.example/fail"
    }
  }
}
