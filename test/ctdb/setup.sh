#!/usr/bin/env bash
# Makes a checkout ready for the tests with real CTDB clusters: all that test/setup.sh does, and one root file system per
# Debian release under .cache/ctdb/, with that release's ctdb in it; bookworm's also has what the helper in Python
# needs. Does only what is missing. Needs root: CTDB does.
#
# Usage: test/ctdb/setup.sh [--no-build] [CODENAME…]
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"

[ "$(id -u)" -eq 0 ] || fail 'the tests with CTDB need root: ctdbd, network namespaces and chroot do'

setup_options=()
if [ "${1-}" = --no-build ]; then
  setup_options=(--no-build)
  shift
fi
releases=("${@:-bookworm}")

test/setup.sh "${setup_options[@]}"

exec 8>"$cache/ctdb.lock"
flock 8
. test/setup/apt.sh
install_debian_packages debootstrap debian-archive-keyring util-linux

# Makes .cache/ctdb/CODENAME, a root file system with ctdb.
# Reads and sets `keyring`, because each release of Debian ships the keys that sign the next.
make_root() {
  local codename=$1 root=$cache/ctdb/$1 packages=ctdb,iproute2,procps,psmisc,samba-common-bin,debian-archive-keyring
  # Only bookworm has a server old enough for the helper in Python, which speaks etcd's protocol v2.
  if [ "$codename" = bookworm ]; then packages+=,python3-etcd; fi
  if [ ! -e "$root/.complete" ]; then
    say "making a root with the ctdb of $codename"
    rm -rf "$root.new" "${root:?}"
    # Names of releases younger than debootstrap itself all mean the same script.
    local script=/usr/share/debootstrap/scripts/$codename
    if [ ! -e "$script" ]; then script=/usr/share/debootstrap/scripts/sid; fi
    debootstrap --variant=minbase --keyring="$keyring" --include="$packages" \
      "$codename" "$root.new" "$mirror" "$script" >"$cache/ctdb/$codename.log" 2>&1 ||
      fail "debootstrap $codename failed, see $cache/ctdb/$codename.log"
    rm -rf "$root.new"/var/cache/apt/archives/*.deb "$root.new"/var/lib/apt/lists/*
    # The mount points of a node's own files, and of the files that all nodes share.
    mkdir -p "$root.new"/run/samba/ctdb "$root.new"/shared "$root.new"/var/log/ctdb
    touch "$root.new/.complete"
    mv "$root.new" "$root"
  fi
  say "ctdb of $codename is $(dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Version}' ctdb)"
  keyring=$(find "$root/usr/share/keyrings" -name 'debian-archive-keyring.*' | sort | head -n 1)
}

mkdir -p "$cache/ctdb"
mirror=$(debian_mirror)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
for release in "${releases[@]}"; do make_root "$release"; done
