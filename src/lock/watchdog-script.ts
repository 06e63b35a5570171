// The longest wait before the input is read again, however long the lease is. At ten renewals a second, all lines of
// that time still fit into the pipe.
const LONGEST_SLEEP_S = 10;

/**
 * The script that bash runs as the watchdog. Arguments: the helper's pid; its start time in clock ticks, or nothing when
 * /proc cannot show it; and the first line, or nothing when it comes later. Each input line says when to kill: `LIMIT`,
 * an uptime in hundredths of a second, or `+LEFT`, hundredths of a second from now. Only builtins are used, so that the
 * script needs no PATH and starts no process.
 *
 * - `LIMIT` is an instant, so a watchdog that was delayed does not grant more time, and a suspend counts. Lines are
 *   read when the known limit is reached and not when they arrive, because each wake-up would cost half as much as a
 *   renewal. Meanwhile the script waits at descriptor 3: for end of file, or for a line there when a new limit is
 *   earlier.
 * - `+LEFT` is used when /proc/uptime is not the kernel's. The helper wakes the watchdog for each such line, so that
 *   the wait begins when the line is written. It begins again when the wake-up comes after the line was read. A
 *   watchdog that is delayed at that moment grants as much more time. `read -t` does not count a suspend, so the script
 *   compares the wall clock every second. When that has jumped by 2 s or more, at most 3.5 s are left, which a running
 *   helper needs to prove the lock again or to end.
 * - When /proc/uptime cannot be opened (ENFILE, ENOMEM), the uptime is computed from the wall clock and the last
 *   look, rounded up. The watchdog then acts up to 2 s early and never late. A wall clock that is set back has no
 *   effect, because the last look and the waits since then give a lower limit. Without an earlier look, the script ends
 *   with status 1, which the helper reports.
 * - Signals that stop or end a process are ignored, because they can be sent to a whole cgroup, as by `systemctl stop` or
 *   `systemctl kill`. A helper that is frozen does not act on them, and the watchdog must still kill it.
 * - End of file means that the helper has ended, and the watchdog ends too. A line that already waits is read before
 *   the kill.
 * - The start time shows whether the pid now belongs to another process. When it cannot be read, the check of the
 *   pipe just before is enough: its other end is still open, and only the helper has it.
 */
export const WATCHDOG_SCRIPT = `
trap '' HUP INT QUIT TERM USR1 USR2 PIPE TSTP TTIN TTOU
pid=$1 start=$2 line=$3 ahead= least=0
look() {
  local now seconds
  printf -v now '%(%s)T' -1
  if { IFS=' ' read -r seconds _ </proc/uptime; } 2>/dev/null; then
    up=$((10#\${seconds/./})) ahead=$((up - now * 100)) least=$up
  else
    [[ -n $ahead ]] || exit 1
    up=$((now * 100 + ahead + 100))
    up=$((up > least ? up : least))
  fi
}
rest() {
  local wait
  printf -v wait '%d.%02d' $(($1 / 100)) $(($1 % 100))
  read -r -t "$wait" -u 3
  status=$?
  ((status == 0 || status > 128)) || exit 0
}
[[ -n $line ]] || IFS= read -r line || exit 0
while :; do
  while read -r -t 0; do IFS= read -r line || exit 0; done
  if [[ $line == +* ]]; then
    left=\${line#+}
    if ((left > 0)); then
      printf -v before '%(%s)T' -1
      slice=$((left > 100 ? 100 : left))
      rest "$slice"
      ((status == 0)) && continue
      printf -v now '%(%s)T' -1
      left=$((left - slice))
      ((now - before > 2 && left > 350)) && left=350
      line=+$left
      ((left > 0)) && continue
    fi
  else
    look
    left=$((line - up))
    if ((left > 0)); then
      slice=$((left > ${LONGEST_SLEEP_S}00 ? ${LONGEST_SLEEP_S}00 : left))
      rest "$slice"
      ((status > 128)) && least=$((least + slice))
      continue
    fi
  fi
  read -r -t 0 && continue
  if [[ -n $start ]] && { IFS= read -r stat <"/proc/$pid/stat"; } 2>/dev/null; then
    set -- \${stat##*) }
    [[ \${20} == "$start" ]] || exit 0
  fi
  kill -KILL "$pid"
  exit 0
done
`;
