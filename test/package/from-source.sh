#!/usr/bin/env bash
# Shows that the source tarball is enough, and that the same sources give the same bytes: unpacks it in two directories of
# different names and depths, builds binary, DEB and RPM in each without a network, npm or node on the PATH, at different
# times and under different umasks, and compares all files.
#
# Usage: test/package/from-source.sh [TARBALL]     (without one, npm run dist makes it)
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"

who=from-source

tarball=${1-}
if [ -z "$tarball" ]; then
  npm run --silent dist
  tarball=$(echo dist/ctdb-etcd-lock-*.tar.xz)
fi
[ -f "$tarball" ] || fail "cannot find $tarball"
tarball=$(realpath "$tarball")

work=$(mktemp -d "${TMPDIR:-/tmp}/ctdb-from-source.XXXXXX")
trap 'rm -rf "$work"' EXIT
first=$work/a
second=$work/another/and/a/longer/place

build() {
  local directory=$1 mask=$2
  mkdir -p "$directory"
  tar --extract --file "$tarball" --directory "$directory" --strip-components=1
  printf 'from-source: building in %s\n' "$directory"
  # The loopback device is all there is; the training of the code cache talks to an etcd inside the build.
  (
    cd "$directory"
    umask "$mask"
    unshare --net --user --map-root-user sh -c 'ip link set lo up && exec "$@"' sh \
      env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/nonexistent \
      node_modules/.bin/node packaging/package.mjs
  )
}

build "$first" 022
build "$second" 077

cd "$first/dist"
sums=$(cat SHA256SUMS)
printf '%s\n' "$sums"
[ "$(wc -l <<<"$sums")" -eq 5 ] || fail 'want five files: the binary, the DEB, two RPMs and the repository'
diff -u SHA256SUMS "$second/dist/SHA256SUMS" || fail 'the two builds differ'
printf 'from-source: both builds are the same, bit by bit\n'
