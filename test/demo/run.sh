#!/usr/bin/env bash
# What `npm run demo` runs: the set-up, the build, then the main job, narrated, on a throw-away etcd cluster.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"

test/setup.sh
exec node test/demo/demo.ts
