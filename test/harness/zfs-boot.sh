#!/bin/sh
# What a machine with ZFS does when it boots, where the machine is one of the dev world: a zfs-fuse of its own, and all pools on
# the volume imported once that is attached. A file NAME.pool on it with no pool in it yet gets one. Then `zfs-ready` in the
# machine's home says which process has the mount namespace, or `zfs-failed` that there is none.
set -eu
# Not those of ~/bin, which wait for this here.
PATH=/usr/sbin:/sbin:$PATH
export PATH
here=$(cd "$(dirname "$0")" && pwd)

if [ "${1-}" != booted ]; then
  rm -f zfs-ready zfs-failed
  exec unshare --mount --propagation private setpriv --pdeathsig KILL sh "$here/zfs-root.sh" "$here/zfs-boot.sh" booted
fi

cd "$HOME"
sh "$here/zfs-daemon.sh" &
trap 'touch "$HOME/zfs-failed"' EXIT
# The daemon is told to end as well, and this shell stays for as long as that takes it.
trap 'wait; exit' TERM
until [ -S /run/zfs/zfs_socket ]; do sleep 0.02; done
until [ -d volume/ ]; do sleep 0.02; done
volume=$(readlink -f volume)
for file in "$volume"/*.pool; do
  name=$(basename "$file" .pool)
  [ ! -e "$file" ] || zpool import -d "$volume" "$name" || zpool create "$name" "$file"
done
echo $$ >zfs-ready.new
mv zfs-ready.new zfs-ready
wait
