#!/usr/bin/env bash
# Shows that the policy module is enough. Boots Debian 12 with SELinux enforcing, as a User-Mode Linux: that is the same
# security module as in every kernel, and needs neither a machine nor an emulator. Installs the DEB and the policy module of
# the RPM in it, and lets ctdbd, in ctdbd_t, take, hold and release the lock with the helper (story.sh). What the kernel
# refuses to ctdbd_t is printed, and must be nothing.
#
# Usage: test/package/selinux/run.sh [--no-build] [--permissive]
#   --permissive  what would be refused is only written down: to find out what is missing in the policy
# Needs root.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../../env.sh"
cd "$checkout"

who=selinux

mode=enforcing
setup_options=()
for option; do
  case $option in
  --no-build) setup_options=(--no-build) ;;
  --permissive) mode=permissive ;;
  *) fail "$option is no option, want --no-build or --permissive" ;;
  esac
done
base=$cache/selinux/bookworm
contexts=/etc/selinux/default/contexts/files/file_contexts

[ "$(id -u)" -eq 0 ] || fail 'needs root: debootstrap, dpkg and chroot do'
test/package/selinux/setup.sh "${setup_options[@]}"
work=$(mktemp -d "${TMPDIR:-/tmp}/ctdb-selinux.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Runs a command in the root file system $1, which has /proc for as long.
inside() {
  local root=$1
  shift
  unshare --mount --net bash -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}

# Compiles $1.te and $1.fc into $2.
policy_module() {
  local module=$work/${1##*/}.mod
  checkmodule -M -m -o "$module" "$1.te" >/dev/null
  semodule_package -o "$2" -m "$module" -f "$1.fc"
}

put_story_in() {
  local root=$1 here=$1/root/story story=test/package/selinux
  mkdir -p "$here"
  cp "$story/story.sh" "$here/"
  printf '%s\n' "$mode" >"$here/mode"
  cp dist/ctdb-etcd-lock_*_amd64.deb "$here/package.deb"
  rpm2cpio dist/ctdb-etcd-lock-selinux-*.noarch.rpm | cpio --quiet -i --to-stdout ./usr/share/selinux/packages/ctdb_etcd_lock.pp >"$here/ctdb_etcd_lock.pp"
  policy_module $story/ctdbd_as_on_fedora "$here/ctdbd_as_on_fedora.pp"

  inside "$root" dpkg --install /root/story/package.deb
  inside "$root" semodule -n -s default -X 200 -i /root/story/ctdb_etcd_lock.pp -i /root/story/ctdbd_as_on_fedora.pp
  # What the RPM's script does, and what the manual says for other ports.
  printf 'port -a -t ctdb_etcd_port_t -p tcp %s\n' 2379 2381 >"$here/ports"
  inside "$root" semanage import -N -S default -f /root/story/ports

  printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
  printf '127.0.0.1\n' >"$root/etc/ctdb/nodes"
  rm -f "$root"/etc/ctdb/events/legacy/*.script
  mkdir -p "$root/var/log/ctdb" "$root/etc/ssl/certs"
  cat >"$root/etc/ctdb/ctdb.conf" <<'END'
[logging]
  location = file:/var/log/ctdb/log.ctdb
  log level = NOTICE
[legacy]
  realtime scheduling = false
[cluster]
  cluster lock = !/usr/libexec/ctdb/ctdb_etcd_lock
END
  printf 'hosts = 127.0.0.1\nnetbios_name = STORY\n' >"$root/etc/ctdb/etcd"

  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=story -addext subjectAltName=IP:127.0.0.1 \
    -addext extendedKeyUsage=serverAuth,clientAuth -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
  install -m 0644 "$work/cert.pem" "$root/etc/ssl/certs/story-ca.pem"
  install -m 0644 "$work/cert.pem" "$root/etc/ctdb/client.pem"
  install -m 0600 "$work/key.pem" "$root/etc/ctdb/client.key"
  install -m 0644 "$work/cert.pem" "$root/var/lib/etcd/server.pem"
  install -m 0644 "$work/key.pem" "$root/var/lib/etcd/server.key"
  cat >"$root/etc/default/etcd" <<'END'
ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:2379,https://127.0.0.1:2381,http://127.0.0.1:3379
ETCD_ADVERTISE_CLIENT_URLS=http://127.0.0.1:2379
ETCD_CERT_FILE=/var/lib/etcd/server.pem
ETCD_KEY_FILE=/var/lib/etcd/server.key
ETCD_TRUSTED_CA_FILE=/var/lib/etcd/server.pem
ETCD_CLIENT_CERT_AUTH=true
END
  printf 'hosts = 127.0.0.1:3379\nnetbios_name = STORY\n' >"$here/config-port"
  cat >"$here/config-tls" <<'END'
hosts = 127.0.0.1:2381
protocol = https
ca_cert = /etc/ssl/certs/story-ca.pem
cert = /etc/ctdb/client.pem
key = /etc/ctdb/client.key
END
  cat >"$root/etc/systemd/system/story.service" <<'END'
[Unit]
Requires=basic.target auditd.service
After=basic.target auditd.service
[Service]
Type=oneshot
StandardInput=null
ExecStart=/bin/bash /root/story/story.sh
END
  sed -i "s/^SELINUX=.*/SELINUX=$mode/" "$root/etc/selinux/config"
  inside "$root" /sbin/setfiles -F -e /proc -e /sys -e /dev $contexts /
}

# The layer with the story over the guest's root file system; what is below stays as it is.
make_image() {
  mkdir "$work"/{upper,overlay,root,guest}
  mount -t overlay overlay -o "lowerdir=$(realpath "$base"),upperdir=$work/upper,workdir=$work/overlay" "$work/root"
  put_story_in "$work/root"
  mke2fs -q -t ext4 -d "$work/root" "$work/guest/disk" 2G
  umount "$work/root"
}

# Runs the guest until it switches itself off. The kernel is forky's and needs the C library of forky, which is in the root
# file system with forky's ctdb. io_uring is off: with it, User-Mode Linux 7.2 falls over when a process with a ring forks.
boot() {
  mkdir "$work"/{kernel-upper,kernel-overlay,kernel}
  mount -t overlay overlay -o "lowerdir=$(realpath "$cache")/ctdb/forky,upperdir=$work/kernel-upper,workdir=$work/kernel-overlay" "$work/kernel"
  mkdir -p "$work/kernel/guest" "$work/kernel/dev/shm"
  mount --bind "$work/guest" "$work/kernel/guest"
  mount -t proc proc "$work/kernel/proc"
  mount -t tmpfs -o mode=1777 tmpfs "$work/kernel/dev/shm"
  cp "$cache/selinux/linux.uml" "$work/kernel/usr/bin/linux.uml"
  timeout --foreground 1800 chroot "$work/kernel" env -i HOME=/dev/shm TMPDIR=/dev/shm /usr/bin/linux.uml \
    mem=1G seccomp=on sysctl.kernel.io_uring_disabled=2 ubda=/guest/disk root=/dev/ubda rw \
    security=selinux selinux=1 enforcing="$([ "$mode" = enforcing ] && echo 1 || echo 0)" audit=1 systemd.unit=story.service \
    con=null con0=null,fd:1 ssl=null ssl0=null,fd:3 </dev/null >"$work/console" 2>&1 3>"$work/story"
}

export -f make_image put_story_in inside policy_module boot say fail
export work base mode contexts checkout cache
unshare --mount --propagation private bash -euo pipefail -c make_image
say "booting, $mode"
unshare --mount --propagation private bash -euo pipefail -c boot || say "the guest ended with $?"
if ! grep -q '^# end' "$work/story"; then tail -n 40 "$work/console"; fi
tr -d '\r' <"$work/story"
if [ "$mode" = permissive ]; then exit 0; fi
grep -q '^# end' "$work/story" || fail 'the story has no end'
if grep -q '^not ok' "$work/story"; then fail 'something in the story is not as it should be'; fi
say "$(grep -c '^ok' "$work/story") checks passed, nothing was refused to ctdbd_t"
