#!/usr/bin/env bash
# Runs two nodes of CTDB in containers, as docs/containers.md has it. Needs a kernel and a cgroup that let podman work.
#
# Usage: test/ctdb/containers/run.sh      (root)
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../../env.sh"
cd "$checkout"

who=containers
. test/setup/apt.sh
install_debian_packages podman runc
exec test/ctdb/run.sh test test/ctdb/containers/containers.test.ts
