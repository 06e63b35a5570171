import type { CommandName } from './cli.ts';

const CONFIG = `  -c, --config FILE  read this file; without it $CTDB_BASE/etcd, or
                     /etc/ctdb/etcd when CTDB_BASE is not set
  --name NAME        as in the lock string of ctdb.conf
  --cluster-id ID    as in the lock string of ctdb.conf`;

const HELP: Readonly<Record<CommandName, string>> = {
  check: `Usage: ctdb_etcd_lock check [-c FILE] [--json]
       ctdb_etcd_lock check [-c FILE] --plugin [--timeout SECONDS]

Reads the configuration as the helper does and tests everything that the lock
needs: names, connections, TLS, login, permissions, the members of etcd, their
versions and alarms, the times, and how CTDB is set up on this node. Each
problem comes with its remedy. A lock that is held is not disturbed.

Options:
${CONFIG}
  --json             print the results as JSON
  --plugin           print one line with performance data, as Nagios and Icinga
                     want it; only reads, and takes no lease
  --timeout SECONDS  with --plugin: give up after so long, 10 unless set
  -h, --help         show this text and exit

Exit status: 0 all is well, 1 the lock works, with warnings, 2 not ready.
With --plugin also 3, it cannot tell.

Examples:
  ctdb_etcd_lock check
  ctdb_etcd_lock check -c /root/etcd.new     before a change
  ctdb_etcd_lock check --json | jq '.results[] | select(.verdict != "ok")'
  ctdb_etcd_lock check --plugin --timeout 20
`,
  status: `Usage: ctdb_etcd_lock status [-c FILE] [--json | --openmetrics] [--watch]

Says who holds the lock, since when, how much time its lease has left, who
waits for it, and whether CTDB on this node agrees.

Options:
${CONFIG}
  --json             print as JSON; with --watch one line for each change
  --openmetrics      print metrics of the lock, of each member and of each
                     certificate, for Prometheus; only reads
  --watch            print a line for each change, until Ctrl-C
  -h, --help         show this text and exit

Exit status: 0 the lock is held, 1 it is free, 2 cannot tell.

Examples:
  ctdb_etcd_lock status
  ctdb_etcd_lock status --watch
  ctdb_etcd_lock status --json | jq -r .holder.host
  ctdb_etcd_lock status --openmetrics
`,
  release: `Usage: ctdb_etcd_lock release [-c FILE] [--force]

Shows who holds the lock, asks, and deletes the holder's key: exactly the one
that was shown, and nothing when the holder has changed meanwhile. The holder
notices within milliseconds, and CTDB elects a new leader. A holder that is
cut off from etcd may go on for up to lock_ttl: make sure that it is stopped.

Options:
${CONFIG}
  --force            do not ask
  -h, --help         show this text and exit

Exit status: 0 the lock was taken away, 1 nothing was changed, 2 cannot tell.

Examples:
  ctdb_etcd_lock release
  ctdb_etcd_lock release --force
`,
};

/** The text for `--help` after a command: whole lines, with a line feed at the end. */
export function commandHelp(topic: CommandName): string {
  return HELP[topic];
}
