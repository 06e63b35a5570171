#!/usr/bin/env bash
# What `npm run test:package` runs: the set-up, then the tests of the packages, in a network namespace that has nothing but
# loopback and a mount namespace of their own: whatever is installed there, nothing can be fetched.
#
# Usage: test/package/run.sh [--short] [--no-build] [FILE…]
#   --short  on Debian 12 only, for CI
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"

setup_options=()
if [ "${1-}" = --short ]; then
  export PACKAGE_TESTS=short
  shift
fi
if [ "${1-}" = --no-build ]; then
  setup_options=(--no-build)
  shift
fi
files=("$@")
if [ ${#files[@]} -eq 0 ]; then files=(test/package/*.test.ts); fi

test/package/setup.sh "${setup_options[@]}"

exec unshare --net --mount --propagation private bash -c 'ip link set lo up; exec "$@"' bash \
  node --test --test-concurrency=1 --test-timeout=600000 --test-reporter=spec "${files[@]}"
