#!/usr/bin/env bash
# Makes .cache/bench/bookworm, a root file system of Debian 12 with CTDB and the helper in Python as apt installs it. The
# root of the tests with CTDB has none of the packages that others only recommend; apt installs those by default, and
# dnspython, which the helper uses through python-etcd, imports what it finds of them. Does only what is missing.
#
# Usage: test/bench/setup.sh
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"

test/ctdb/setup.sh bookworm

. test/setup/apt.sh
mkdir -p "$cache/bench"
exec 7>"$cache/bench/setup.lock"
flock 7

root=$cache/bench/bookworm
if [ -e "$root/.complete" ]; then exit 0; fi

say 'adding what is recommended to a root with the helper in Python'
rm -rf "$root.new" "${root:?}"
cp -a "$(realpath "$cache/ctdb/bookworm")" "$root.new"
rm "$root.new/.complete"

state=$cache/bench/apt
mkdir -p "$state/lists/partial" "$state/archives/partial"
printf 'deb [signed-by=%s] %s bookworm main\n' /usr/share/keyrings/debian-archive-keyring.gpg "$(debian_mirror)" >"$state/sources.list"
in_root=(-o Dir::State::status="$root.new/var/lib/dpkg/status")
private_apt "$state" apt-get "${in_root[@]}" update >"$cache/bench/apt.log"
# Names only; where there is a choice, the first.
recommended=$(dpkg-query --admindir="$root.new/var/lib/dpkg" -W -f '${Recommends}, ' python3-etcd python3-dnspython python3-urllib3 |
  sed -E 's/\([^)]*\)//g; s/\|[^,]*//g; s/:any//g; s/[, ]+/ /g')
# shellcheck disable=SC2086
private_apt "$state" apt-get "${in_root[@]}" -y --download-only install $recommended >>"$cache/bench/apt.log" 2>&1 ||
  fail "cannot fetch $recommended, see $cache/bench/apt.log"
mkdir "$root.new/debs"
cp "$state"/archives/*.deb "$root.new/debs/"
DEBIAN_FRONTEND=noninteractive chroot "$root.new" sh -c 'dpkg -i /debs/*.deb' >>"$cache/bench/apt.log" 2>&1 ||
  fail "cannot install $recommended, see $cache/bench/apt.log"
rm -rf "$root.new/debs" "$state"
touch "$root.new/.complete"
mv "$root.new" "$root"
