# A virtual machine on the jump host itself that runs while somebody is connected to it: QEMU in the foreground, its disks kept.
#
#   ssh-keygen -t ed25519 -N "" -f /etc/lazyssh/vm    # its public key belongs into the guest, for root

server {
  listen         = "localhost:7922"
  host_key       = env("LAZYSSH_HOST_KEY")
  authorized_key = env("LAZYSSH_AUTHORIZED_KEY")
}

locals {
  port  = 10022
  disks = "/var/lib/vm"
}

target "archiver" "command" {
  start = [
    "qemu-system-x86_64", "-accel", "kvm", "-m", "1024", "-display", "none", "-no-reboot",
    "-drive", "file=${local.disks}/system.img,format=raw,if=virtio",
    "-drive", "file=${local.disks}/backup.img,format=raw,if=virtio",
    "-nic", "user,model=virtio,hostfwd=tcp:127.0.0.1:${local.port}-:22",
  ]
  foreground   = true
  stop         = ["ssh", "-i", "/etc/lazyssh/vm", "-p", local.port, "root@127.0.0.1", "poweroff"]
  to           = "127.0.0.1"
  port_map     = { "22" = local.port }
  linger       = "2m"
  boot_timeout = "2m"
}
