# Snapshots to a machine that exists only while they are sent. Nothing in this file is for a server: it is read by
#
#   lazyssh replicate --config replicate.hcl safe

replicate "safe" {
  source      = "rpool/safe"
  target      = "archiver" # a Host of the ssh config
  destination = "backup/safe"
  recursive   = true
  exclude     = ["rpool/safe/cache"]

  snapshots {
    include = ["zfs-auto-snap_*"]
    exclude = ["*frequent*"]
  }

  ssh {
    config   = "~/.ssh/config"
    user     = "root"
    identity = "~/.ssh/archiver"
    jump     = "lazyssh"
  }

  send {
    raw           = true
    compress      = "zstd"
    rate_limit    = "20MiB"
    intermediates = true
  }

  keep { # on the target; without this block everything is kept
    last    = 4
    hourly  = 24
    daily   = 7
    weekly  = 4
    monthly = 12
  }

  before        = ["nixos-rebuild", "switch"]   # on the target, once it answers
  after         = ["zpool", "export", "backup"] # on the target, once all is verified
  timeout       = "25h"
  stall_timeout = "10m"
  max_age       = "1h"
  scrub_every   = "30d"

  report {
    on_start {
      url = "https://ping.example/start"
    }
    on_success { # the JSON report is the body
      url     = "https://events.example/1/events/zfs-replication"
      method  = "POST"
      headers = { "X-Team" = env("EVENTS_KEY") }
    }
    on_failure {
      command = ["mail-me"] # the report is its standard input
    }
  }
}
