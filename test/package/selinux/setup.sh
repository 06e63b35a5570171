#!/usr/bin/env bash
# Makes what the SELinux guest needs, under .cache/selinux/: Linux as a program (User-Mode Linux), from forky, because older
# ones do not start on processors with AMX; and the guest's root file system, Debian 12 with its policy, labelled.
# Does only what is missing. Needs root.
#
# Usage: test/package/selinux/setup.sh [--no-build]
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../../env.sh"
cd "$checkout"

test/package/setup.sh "$@"
exec 6>"$cache/selinux.lock"
flock 6
. test/setup/apt.sh
install_debian_packages checkpolicy cpio debootstrap e2fsprogs openssl rpm semodule-utils util-linux
mirror=$(debian_mirror)
mkdir -p "$cache/selinux"

if [ ! -e "$cache/selinux/linux.uml" ]; then
  say 'fetching User-Mode Linux'
  state=$cache/selinux/apt
  keyring=$(find "$cache/ctdb/forky/usr/share/keyrings" -name 'debian-archive-keyring.*' | sort | head -n 1)
  mkdir -p "$state/lists/partial" "$state/archives/partial" "$state/debs"
  printf 'deb [signed-by=%s] %s forky main\n' "$keyring" "$mirror" >"$state/sources.list"
  private_apt "$state" apt-get update
  (cd "$state/debs" && private_apt "$state" apt-get download user-mode-linux)
  dpkg -x "$state"/debs/user-mode-linux_*.deb "$state/root"
  mv "$state/root/usr/bin/linux.uml" "$cache/selinux/linux.uml"
  rm -rf "$state"
fi

root=$cache/selinux/bookworm
if [ ! -e "$root/.complete" ]; then
  say 'making the guest'
  packages=systemd-sysv,udev,dbus,kmod,selinux-basics,selinux-policy-default,policycoreutils,policycoreutils-python-utils
  packages+=,auditd,ctdb,etcd-server,etcd-client,iproute2,procps,samba-common-bin,netbase
  rm -rf "$root.new" "${root:?}"
  debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg --include="$packages" \
    bookworm "$root.new" "$mirror" >"$cache/selinux/bookworm.log" 2>&1 || fail "debootstrap failed, see $cache/selinux/bookworm.log"
  rm -rf "$root.new"/var/cache/apt/archives/*.deb "$root.new"/var/lib/apt/lists/* "$root.new/etc/resolv.conf"
  # setfiles needs /proc, which debootstrap leaves mounted or not.
  unshare --mount bash -c 'mountpoint -q "$0/proc" || mount -t proc proc "$0/proc"; exec chroot "$0" "$@"' "$root.new" \
    /sbin/setfiles -F -e /proc -e /sys -e /dev /etc/selinux/default/contexts/files/file_contexts /
  touch "$root.new/.complete"
  mv "$root.new" "$root"
fi
