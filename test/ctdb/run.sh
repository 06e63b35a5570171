#!/usr/bin/env bash
# Runs something over real CTDB clusters, in network and mount namespaces of its own: nothing of the machine's network is
# touched, and several of these can run side by side.
#
# Usage: test/ctdb/run.sh test [--short] [FILE…]
#        test/ctdb/run.sh bench|soak [ARGUMENTS]
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"

what=${1:?test, bench or soak}
shift

case $what in
  test)
    if [ "${1-}" = --short ]; then
      shift
      export CTDB_TESTS=short
    fi
    releases=(bookworm trixie forky)
    shopt -s nullglob
    if [ $# -gt 0 ]; then files=("$@"); else files=(test/ctdb/*.test.ts); fi
    # One cluster at a time: the tests measure time, and three nodes with their etcd keep two cores busy at moments.
    # shellcheck disable=SC2206
    command=(node --test --test-concurrency=1 --test-reporter=spec ${NODE_TEST_ARGS-} "${files[@]}")
    ;;
  bench)
    releases=(bookworm)
    command=(node test/ctdb/bench.ts "$@")
    ;;
  soak)
    releases=(bookworm)
    command=(node test/ctdb/soak.ts "$@")
    ;;
  *)
    echo "Unknown: $what; want test, bench or soak" >&2
    exit 2
    ;;
esac

test/ctdb/setup.sh ${CTDB_SETUP_ARGS-} "${releases[@]}"

exec unshare --net --mount --propagation private bash -c 'ip link set lo up; exec "$@"' bash "${command[@]}"
