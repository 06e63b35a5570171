#!/usr/bin/env bash
# Runs something over real CTDB clusters, in network and mount namespaces of its own: nothing of the machine's network is
# touched, and several of these can run side by side.
#
# Usage: test/ctdb/run.sh test [--short] [--jobs N] [FILE…]
#        test/ctdb/run.sh bench|soak [ARGUMENTS]
#   --short   fewer repetitions
#   --jobs N  so many files at a time, each in namespaces of its own; 1 unless said otherwise, because the tests measure
#             time, and three nodes with their etcd keep two cores busy at moments
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"

# Runs a command in namespaces of its own.
apart() {
  unshare --net --mount --propagation private bash -c 'ip link set lo up; exec "$@"' bash "$@"
}

# Runs one file of tests; what it says comes in one piece when it has ended.
run_file() {
  local file=$1 said status=0
  said=$(mktemp)
  # shellcheck disable=SC2086
  apart node --test --test-reporter=spec ${NODE_TEST_ARGS-} "$file" >"$said" 2>&1 || status=$?
  printf '\nctdb: %s\n' "$file"
  cat "$said"
  rm -f "$said"
  return "$status"
}

what=${1:?test, bench or soak}
shift

case $what in
  test)
    jobs=1
    while :; do
      case ${1-} in
        --short) export CTDB_TESTS=short && shift ;;
        --jobs) jobs=${2:?how many} && shift 2 ;;
        *) break ;;
      esac
    done
    if [ $# -eq 0 ]; then set -- test/ctdb/*.test.ts; fi
    test/ctdb/setup.sh ${CTDB_SETUP_ARGS-} bookworm trixie forky
    export -f apart run_file
    printf '%s\0' "$@" | xargs -0 -n 1 -P "$jobs" bash -c 'run_file "$1"' bash
    ;;
  bench | soak)
    test/ctdb/setup.sh ${CTDB_SETUP_ARGS-} bookworm
    apart node "test/ctdb/$what.ts" "$@"
    ;;
  *)
    echo "Unknown: $what; want test, bench or soak" >&2
    exit 2
    ;;
esac
