#!/bin/sh
# unshare --mount --propagation private sh zfs-root.sh COMMAND… : runs it where a zfs-fuse has the machine to itself.
#
# The root is a folder in memory that has all folders of the machine in it, but for /run, where a daemon's socket and lock are,
# and /var/lib/zfs, which says what to import at start. A pool's /NAME is made in that folder, so no two worlds share a
# mountpoint: a directory that one removes would take along what another has mounted on it. /pools is for pools in memory.
set -eu
mount -t tmpfs -o mode=755 zfs-world /run
cd /run
for entry in /*; do
  name=${entry#/}
  if [ -L "$entry" ]; then
    cp -P "$entry" "$name"
  elif [ -d "$entry" ] && [ "$name" != run ]; then
    mkdir "$name"
    mount --rbind "$entry" "$name"
  fi
done
mkdir -p run/zfs run/lock pools before
mount -t tmpfs zfs-world var/lib/zfs
pivot_root . before
umount -l /before
rmdir /before
cd /
exec "$@"
