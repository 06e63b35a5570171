#!/usr/bin/env bash
# What `npm run test:unit` runs: the unit tests, or the files that are named. Needs no etcd and no packages from Debian.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"
test/setup.sh --npm-only

if [ $# -eq 0 ]; then
  shopt -s globstar
  set -- test/unit/**/*.test.ts
fi
exec node --test "$@"
