#!/usr/bin/env bash
# What `npm run docs` runs: writes every table and page of docs/ anew that a command can write without measuring anything.
# With --etcd also those that need the packed binary and real members: docs/error-table.md.
# What is measured has commands of its own: `npm run bench`, `bench:ctdb`, `faults:document`, `sim:mutations`.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"

who=docs
case ${1-} in
  '' | --etcd) ;;
  *) fail "unknown option $1, want --etcd or none" ;;
esac

node test/support/write-options.ts
node test/support/write-messages.ts
node test/support/write-charts.ts
if [ "${1-}" = --etcd ]; then
  WRITE_ERROR_TABLE=1 test/run.sh test/conformance/errors-of-etcd.test.ts
fi
prettier --log-level warn --check docs
git diff --stat -- docs
