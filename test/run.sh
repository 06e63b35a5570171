#!/usr/bin/env bash
# What `npm test` runs: the set-up, the build, then all unit, integration and conformance tests with one summary.
# Arguments are files to run instead of all; further options of node's test runner go in NODE_TEST_ARGS.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$checkout"

test/setup.sh

if [ $# -gt 0 ]; then
  files=("$@")
else
  shopt -s globstar nullglob
  files=(test/unit/**/*.test.ts test/integration/**/*.test.ts test/conformance/**/*.test.ts)
fi

# Two files at a time: most of them wait for etcd or for a lease, but every file starts an etcd of its own, and more at
# once would starve tests that measure time on a machine with two cores.
# shellcheck disable=SC2086
exec node --test --test-concurrency=2 --test-timeout=300000 --test-reporter=spec ${NODE_TEST_ARGS-} "${files[@]}"
