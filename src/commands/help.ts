import type { CommandName } from './options.ts';

const CONFIG = `  -c, --config FILE  read FILE; without this option $CTDB_BASE/etcd, or
                     /etc/ctdb/etcd if CTDB_BASE is not set
  --name NAME        as in the line "cluster lock" of ctdb.conf
  --cluster-id ID    as in the line "cluster lock" of ctdb.conf`;

const HELP: Readonly<Record<CommandName, string>> = {
  check: `Usage: ctdb_etcd_lock check [-c FILE] [--json]
       ctdb_etcd_lock check [-c FILE] --plugin [--timeout SECONDS]

Reads the configuration as the helper does and tests all that the lock needs:
host names, connections, TLS, login, permissions, the members of etcd with
their versions and alarms, the times, and the setup of CTDB on this node. Each
problem is printed with its remedy. A held lock is not disturbed.

Options:
${CONFIG}
  --json             print the results as JSON
  --plugin           print one line with performance data for Nagios or Icinga;
                     only read, and take no lease to test permissions
  --timeout SECONDS  with --plugin: limit from 1 to 60 s, 10 by default
  -h, --help         show this text and exit

Exit status: 0 all is well, 1 the lock works, with warnings, 2 not ready,
3 the output could not be written. With --plugin, 3 is any unknown state.

Examples:
  ctdb_etcd_lock check
  ctdb_etcd_lock check -c /root/etcd.new     before a change
  ctdb_etcd_lock check --json | jq '.results[] | select(.verdict != "ok")'
  ctdb_etcd_lock check --plugin --timeout 20
`,
  status: `Usage: ctdb_etcd_lock status [-c FILE] [--json | --openmetrics] [--watch]

Shows the holder of the lock, since when, how much time the lease has left, who
waits for the lock, and whether the leader of CTDB is the holder's node.

Options:
${CONFIG}
  --json             print JSON; with --watch one line for each change
  --openmetrics      print metrics of the lock, of each member and of each
                     certificate for Prometheus
  --watch            print a line for each change, until Ctrl-C
  -h, --help         show this text and exit

Exit status: 0 the lock is held, 1 it is free, 2 the state is unknown,
3 the output could not be written.

Examples:
  ctdb_etcd_lock status
  ctdb_etcd_lock status --watch
  ctdb_etcd_lock status --json | jq -r .holder.host
  ctdb_etcd_lock status --openmetrics
`,
  release: `Usage: ctdb_etcd_lock release [-c FILE] [--force]

Shows the holder of the lock, asks for confirmation, and deletes the key of this
holder. Deletes nothing if the holder has changed in the meantime. The holder
notices within milliseconds, and CTDB elects a new leader. A holder that cannot
reach etcd may go on for up to lock_ttl: stop it first.

Options:
${CONFIG}
  --force            do not ask
  -h, --help         show this text and exit

Exit status: 0 the key was deleted, 1 nothing was changed, 2 state unknown,
3 the output could not be written.

Examples:
  ctdb_etcd_lock release
  ctdb_etcd_lock release --force
`,
};

/** The text for `--help` after a command: whole lines, with a line feed at the end. */
export function commandHelp(topic: CommandName): string {
  return HELP[topic];
}
