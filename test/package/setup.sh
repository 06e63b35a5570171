#!/usr/bin/env bash
# Makes a checkout ready for the tests of the packages: tools, the packages themselves, root file systems of three releases
# of Debian with nothing in them and with ctdb in them (test/ctdb/setup.sh), the package ctdb of each, and one more root with
# nothing in it, of the oldest release that Debian's mirrors still have.
# Does only what is missing. Needs root.
#
# Usage: test/package/setup.sh [--no-build]
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"

[ "$(id -u)" -eq 0 ] || fail 'the tests of the packages need root: dpkg, rpm and chroot do'
releases=(bookworm trixie forky)
oldest=bullseye
# For "run.sh --short".
if [ "${PACKAGE_TESTS-}" = short ]; then
  releases=(bookworm)
  oldest=
fi

test/ctdb/setup.sh "$@" "${releases[@]}"

exec 7>"$cache/package.lock"
flock 7
. test/setup/apt.sh
install_debian_packages apt-utils binutils checkpolicy cpio createrepo-c debootstrap dnf gpg lintian mandoc man-db rpm rpmlint semodule-utils strace util-linux xz-utils

# The keys that sign release $1: each release's are in its root with ctdb, older ones are this machine's.
keyring_of() {
  local keyrings=$cache/ctdb/$1/usr/share/keyrings
  if [ ! -d "$keyrings" ]; then keyrings=/usr/share/keyrings; fi
  find "$keyrings" -name 'debian-archive-keyring.*' | sort | head -n 1
}

# Makes .cache/package/CODENAME, a root file system with the least that Debian calls a system.
make_clean_root() {
  local codename=$1 root=$cache/package/$1 keyring script=/usr/share/debootstrap/scripts/$1
  if [ -e "$root/.complete" ]; then return; fi
  say "making a clean root of $codename"
  keyring=$(keyring_of "$codename")
  if [ ! -e "$script" ]; then script=/usr/share/debootstrap/scripts/sid; fi
  rm -rf "$root.new" "${root:?}"
  debootstrap --variant=minbase --keyring="$keyring" "$codename" "$root.new" "$mirror" "$script" \
    >"$cache/package/$codename.log" 2>&1 || fail "debootstrap $codename failed, see $cache/package/$codename.log"
  rm -rf "$root.new"/var/cache/apt/archives/*.deb "$root.new"/var/lib/apt/lists/*
  touch "$root.new/.complete"
  mv "$root.new" "$root"
}

# Fetches the package ctdb that is in the root with ctdb, as .cache/package/CODENAME-ctdb.deb.
fetch_ctdb() {
  local codename=$1 deb=$cache/package/$1-ctdb.deb state=$cache/package/apt-$1 keyring
  if [ -e "$deb" ]; then return; fi
  say "fetching the ctdb of $codename"
  keyring=$(keyring_of "$codename")
  mkdir -p "$state/lists/partial" "$state/archives/partial" "$state/debs"
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$codename" >"$state/sources.list"
  private_apt "$state" apt-get update
  (cd "$state/debs" && private_apt "$state" apt-get download ctdb)
  mv "$state"/debs/ctdb_*.deb "$deb"
  rm -rf "$state"
}

mkdir -p "$cache/package"
mirror=$(debian_mirror)
if [ -n "$oldest" ]; then make_clean_root "$oldest"; fi
for release in "${releases[@]}"; do
  make_clean_root "$release"
  fetch_ctdb "$release"
done

# The packages, when there are none or when something in them is younger.
stale() {
  local package=$1
  [ -e "$package" ] && [ -z "$(find dist/ctdb_etcd_lock packaging docs README.md CHANGELOG.md -type f -newer "$package" -print -quit)" ] && return 1
  return 0
}

if [ "${1-}" != --no-build ]; then
  if stale "$(echo dist/ctdb-etcd-lock_*_amd64.deb)" || stale "$(echo dist/ctdb-etcd-lock-[0-9]*.x86_64.rpm)"; then
    say 'building the packages'
    npm run --silent package -- --no-build
  fi
fi
