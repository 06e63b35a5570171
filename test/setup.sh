#!/usr/bin/env bash
# Makes a checkout on Debian 12 with Node 20 and npm ready for the tests and the demo: npm's packages, Debian's
# packages, the releases of etcd in Debian, the built binary. Does only what is missing; a second run changes nothing.
# As root, missing Debian packages are installed; otherwise they are unpacked into .cache/root. The etcd packages are
# always unpacked, into .cache/etcd/, because several releases cannot be installed at once.
#
# Usage: test/setup.sh [--no-build | --npm-only]
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$checkout"

# binutils: strip, for the build. python3: the parent that acts as CTDB. iproute2, iptables: networks to cut.
# procps: ps, for the demo. strace, openssl, faketime: what the binary opens, certificates, stepped clocks.
debian_packages=(binutils faketime iproute2 iptables openssl procps python3 strace)

# Debian's releases, oldest first, and the names by which the tests ask for the etcd in each.
releases=(bookworm=3.4 trixie=3.5-trixie forky=3.5-forky)

# What reads the metrics: promtool, node_exporter, and a parser of OpenMetrics with the module that it imports.
prometheus_packages=(prometheus prometheus-node-exporter python3-prometheus-client python3-decorator)

mkdir -p "$cache"
exec 9>"$cache/setup.lock"
flock 9

. test/setup/npm.sh
. test/setup/apt.sh

install_npm_packages
if [ "${1-}" = --npm-only ]; then exit; fi
install_debian_packages "${debian_packages[@]}"
unpack_etcd_releases "${releases[@]}"
unpack_newer_etcd sid experimental
unpack_packages prometheus "${prometheus_packages[@]}"

# The binary is built last, and only when something that it is made of is younger.
build_if_stale() {
  local binary=dist/ctdb_etcd_lock sources=() path
  for path in src packaging/build build.mjs package.json package-lock.json; do
    if [ -e "$path" ]; then sources+=("$path"); fi
  done
  if [ -x "$binary" ] && [ -z "$(find "${sources[@]}" -type f -newer "$binary" -print -quit)" ]; then return; fi
  say "building $binary"
  npm run --silent build
}

if [ "${1-}" != --no-build ]; then build_if_stale; fi
