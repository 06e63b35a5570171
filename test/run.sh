#!/usr/bin/env bash
# What `npm test` runs: the set-up, the build, then all unit, integration and conformance tests with one summary.
# Arguments are files to run instead of all of them. With CI=true a skipped test counts as a failure.
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

record=$(mktemp)
trap 'rm -f "$record"' EXIT

# Two files at a time: most of them wait for etcd or for a lease, but every file starts an etcd of its own, and more at
# once would starve the tests that measure time on a machine with two cores.
status=0
node --test --test-concurrency=2 --test-timeout=300000 \
  --test-reporter=tap --test-reporter-destination="$record" \
  --test-reporter=spec --test-reporter-destination=stdout \
  "${files[@]}" || status=$?

if [ "${CI-}" = true ] && skipped=$(grep -E '^ *(not )?ok .* # (SKIP|TODO)' "$record"); then
  printf 'Skipped, which CI does not allow:\n%s\n' "$skipped" >&2
  status=1
fi
exit "$status"
