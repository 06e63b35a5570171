#!/usr/bin/env bash
# Compares the packed helper with others, or puts a load on etcd, on the loopback of a network namespace of its own. Does
# its own set-up: all that the tests need, and a root file system of Debian 12 with CTDB and the helper in Python.
#
# Usage: test/bench/run.sh compare|scale [ARGUMENTS]
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$checkout"

what=${1:?compare or scale}
shift
case $what in
  compare | scale) ;;
  *)
    echo "Unknown: $what; want compare or scale" >&2
    exit 2
    ;;
esac
command=(node "test/bench/$what.ts" "$@")

# A thousand holders in one process have a connection each.
ulimit -n "$(ulimit -H -n)"

# On a machine that does other things as well, they would be measured too.
ahead=()
if chrt --rr 10 true 2>/dev/null; then ahead=(chrt --rr 10); fi
export BENCH_AHEAD=${ahead[*]}

if [ "$what" = scale ]; then
  test/setup.sh --no-build
  exec "${ahead[@]}" unshare --net bash -c 'ip link set lo up; exec "$@"' bash "${command[@]}"
fi

test/bench/setup.sh
root=$(realpath "$cache/bench/bookworm")
minimal=$(realpath "$cache/ctdb/bookworm")
export BENCH_ROOT=$root BENCH_MINIMAL_ROOT=$minimal
exec "${ahead[@]}" unshare --net --mount --propagation private \
  bash test/bench/stage.sh "$checkout" "$root" "$minimal" "${command[@]}"
