# A jump host that only passes connections on: the smallest configuration there is.
#
#   ssh-keygen -t ed25519 -N "" -f host_key
#   lazyssh check -c forward.hcl
#   lazyssh -c forward.hcl
#   ssh -J jump@localhost:7922 root@home

server {
  listen         = "localhost:7922"
  host_key       = env("LAZYSSH_HOST_KEY")
  authorized_key = env("LAZYSSH_AUTHORIZED_KEY")
}

target "home" "forward" {
  to = "192.0.2.10"
}
