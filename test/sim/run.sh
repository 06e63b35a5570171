#!/usr/bin/env bash
# What `npm run sim` runs: npm's packages, among them the Node that reads TypeScript, then a program of this directory
# with its arguments.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"

test/setup.sh --npm-only
program=$1
shift
exec node "test/sim/$program" "$@"
