#!/usr/bin/env bash
# What `npm run faults` runs: the set-up, the build, then a program of this directory with its arguments.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"

test/setup.sh
program=$1
shift
exec node "test/fault/$program" "$@"
