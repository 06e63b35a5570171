#!/bin/bash
# PID 1 of a CTDB node: gives the release's root this node's own files, and stays to reap. Runs in new mount, PID,
# network, UTS and IPC namespaces, all of which end with it.
#
# Usage: node-init.sh NAME ROOT FILES SHARED [BINARY]
#   ROOT    the root file system with CTDB, left as it is
#   FILES   directory with the node's etc/, lib/ and log/
#   SHARED  directory that all nodes see as /shared
#   BINARY  takes the place of /usr/libexec/ctdb/ctdb_etcd_lock
set -euo pipefail
name=$1 root=$2 files=$3 shared=$4 binary=${5-}

mount --make-rprivate /
hostname "$name"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for directory in run tmp; do mount -t tmpfs tmpfs "$root/$directory"; done
mkdir -p "$root/run/ctdb" "$root/run/samba/ctdb"
mount --bind "$files/etc" "$root/etc/ctdb"
mount --bind "$files/smb.conf" "$root/etc/samba/smb.conf"
mount --bind "$files/lib" "$root/var/lib/ctdb"
mount --bind "$files/log" "$root/var/log/ctdb"
mount --bind "$shared" "$root/shared"
if [ -n "$binary" ]; then mount --bind "$binary" "$root/usr/libexec/ctdb/ctdb_etcd_lock"; fi

# bash as PID 1 reaps whatever it inherits while it waits.
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" /bin/bash -c 'sleep infinity & wait'
