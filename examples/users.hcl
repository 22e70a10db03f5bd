# Several people and a build server behind one jump host. Each may reach what is theirs.
#
#   ssh-keygen -t ed25519 -N "" -f host_key
#   lazyssh check -c users.hcl
#   ssh -J jump@localhost:7922 root@web.dev

server {
  listen        = "localhost:7922"
  host_key      = env("LAZYSSH_HOST_KEY")
  drain_timeout = "10m"

  # May reach everything, from anywhere.
  user "alice" {
    authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAKeg1okL/e2bqKCIjTktOcDps5UFNM5D0yZcUj7XCpO alice@laptop"]
  }

  # Only until the end of the year 2040, and only the machines for development.
  user "bob" {
    authorized_keys = ["expiry-time=\"20401231Z\",from=\"10.0.0.0/8\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID6FP8xuPJJqL3t+jYnXqrUduIiN9loWL/mkd1ZxV6Hu bob@desk"]
    targets         = ["*.dev"]
    commands        = ["status"]
  }

  # Whoever has a certificate by this authority, with the principal "ci" in it:
  #   ssh-keygen -s ca -I build-17 -n ci -V +1h id_ed25519.pub
  user "ci" {
    trusted_user_ca_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEPLl+HSrT4Wugomv9nO/tZKTC6ajtCbQp6Fy+Ddp56b authority"]
    targets              = ["archiver"]
    max_machines         = 1
  }

  limits {
    login_grace    = "20s"
    client_timeout = "2m"
  }
}

target "archiver" "forward" {
  to    = "192.0.2.10"
  ports = [22]
}

target "web.dev" "forward" {
  to    = "192.0.2.11"
  ports = [22, 443]
}
