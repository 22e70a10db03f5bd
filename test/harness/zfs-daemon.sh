#!/bin/sh
# Becomes a zfs-fuse, which ends with the process that started it, with one beside it that wakes it.
set -eu
PATH=/usr/sbin:/sbin:$PATH
export PATH
here=$(cd "$(dirname "$0")" && pwd)
setpriv --pdeathsig KILL perl "$here/zfs-wake.pl" $$ </dev/null >/dev/null 2>&1 &
exec setpriv --pdeathsig KILL zfs-fuse --no-daemon --no-kstat-mount
