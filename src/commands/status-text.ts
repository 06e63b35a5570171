import { formatColumns, formatDuration, formatFields, paint, printable } from './output.ts';
import type { CommandContext } from './context.ts';
import type { CtdbLeader } from './ctdb-leader.ts';
import { type Contender, leaseText, type LockView } from './lock-view.ts';

/** The lock in one line. The line changes only when the lock changes hands. */
export function changeLine({ contenders }: LockView): string {
  const [holder, ...others] = contenders;
  if (holder === undefined) return 'free';
  const waiting = others.length === 0 ? '' : `, ${others.length} waiting`;
  return `held by ${describeContender(holder)}, revision ${holder.createRevision.toString()}${waiting}`;
}

/** `node fs2 (PNN 1), pid 4711`, or a description of a key that no helper wrote. */
export function describeContender({ record, value, isNamedByLease, key }: Contender): string {
  if (record !== null) {
    const pnn = record.pnn === undefined ? '' : ` (PNN ${record.pnn})`;
    return printable(`${record.host}${pnn}, pid ${record.process.pid}`);
  }
  if (isNamedByLease && value === '') return "etcdctl lock, or another client of etcd's own lock";
  return isNamedByLease ? 'a client of etcd, not this helper' : `a foreign key, ${printable(key)}`;
}

/** `8 of 9 s left, renewed 1 s ago` */
function leaseLine(contender: Contender): string {
  const hex = leaseText(contender);
  if (hex === '') return 'none: this key stays until it is deleted';
  const { lease } = contender;
  if (lease === null) return `${hex}, has ended, or etcd did not tell`;
  const sinceMs = Math.max(0, lease.grantedTtlMs - lease.remainingMs - 1_000);
  const left = `${lease.remainingMs / 1000} of ${lease.grantedTtlMs / 1000} s left`;
  return `${hex}, ${left}, renewed ${sinceMs === 0 ? 'within the last second' : `about ${sinceMs / 1000} s ago`}`;
}

function sinceLine(since: string, context: CommandContext): string {
  const atMs = Date.parse(since);
  if (Number.isNaN(atMs)) return printable(since);
  const agoMs = context.clock.wallNow() - atMs;
  const ago = agoMs < -1_000 ? "by a clock ahead of this host's" : `${formatDuration(agoMs)} ago`;
  return `${printable(since)} (${ago})`;
}

/** True when CTDB's leader is the node that holds the lock; undefined when that is unknown. */
export function agrees(leader: CtdbLeader | undefined, view: LockView): boolean | undefined {
  const [holder] = view.contenders;
  if (leader === undefined || leader.kind === 'silent') return undefined;
  if (leader.kind === 'none') return holder === undefined;
  if (holder === undefined) return false;
  const pnn = holder.record?.pnn;
  return pnn === undefined ? undefined : pnn === leader.pnn;
}

function leaderLine(leader: CtdbLeader, view: LockView, context: CommandContext): string {
  if (leader.kind === 'silent') return 'does not run here, or does not answer';
  const said = leader.kind === 'none' ? 'knows no leader' : `leader is node ${leader.pnn}`;
  switch (agrees(leader, view)) {
    case true:
      return `${said}, which agrees`;
    case false:
      return paint(
        context.out,
        'yellow',
        `${said}, which does not agree; this is normal for some seconds during an election, run status again`,
      );
    case undefined:
      return `${said}; the holder's node number is not known`;
  }
}

/** The lock as text for people: whole lines. */
export function statusText(view: LockView, leader: CtdbLeader, context: CommandContext): string {
  const { out } = context;
  const [holder, ...others] = view.contenders;
  const lock: [string, string] = ['Lock', view.directory.slice(0, -1)];
  const ctdb: [string, string] = ['CTDB', leaderLine(leader, view, context)];
  if (holder === undefined) {
    return formatFields([lock, ['State', paint(out, 'yellow', 'free')], ctdb]);
  }
  const { record } = holder;
  const isDead = record !== null && context.host.isDead(record.process);
  const fields: [string, string][] = [
    lock,
    ['State', paint(out, 'green', 'held')],
    ['Holder', describeContender(holder)],
    ...(isDead
      ? [
          ['', paint(out, 'red', 'that process is dead; the next helper on this host reclaims the lock')] as [
            string,
            string,
          ],
        ]
      : []),
    ...(record === null
      ? []
      : ([
          ['Since', sinceLine(record.since, context)],
          ['Version', printable(record.version)],
        ] as [string, string][])),
    ['Lease', leaseLine(holder)],
    ['Revision', `${holder.createRevision.toString()} (the fencing number)`],
    ['Key', printable(holder.key)],
    ctdb,
  ];
  const text = formatFields(fields);
  if (others.length === 0) return text;
  const rows = others.map((other) => [
    '',
    describeContender(other),
    `revision ${other.createRevision.toString()}`,
    leaseLine(other),
  ]);
  return `${text}Waiting\n${formatColumns(rows).join('\n')}\n`;
}

function contenderJson(contender: Contender): object {
  const { record, lease, key, createRevision, modRevision } = contender;
  const hex = leaseText(contender);
  return {
    key,
    helper: record !== null,
    ...(record === null
      ? {}
      : {
          node: record.node,
          host: record.host,
          pnn: record.pnn ?? null,
          pid: record.process.pid,
          since: record.since,
          version: record.version,
          ttl: record.ttlMs / 1000,
          refresh: record.refreshMs / 1000,
        }),
    lease: hex === '' ? null : hex,
    lease_left: lease === null ? null : lease.remainingMs / 1000,
    lease_ttl: lease === null ? null : lease.grantedTtlMs / 1000,
    create_revision: Number(createRevision),
    mod_revision: Number(modRevision),
  };
}

/**
 * The lock as JSON.
 * @param leader undefined when CTDB was not asked
 */
export function statusJson(view: LockView, leader: CtdbLeader | undefined, context: CommandContext): object {
  const [holder, ...others] = view.contenders;
  const record = holder?.record ?? null;
  return {
    lock: view.directory.slice(0, -1),
    state: holder === undefined ? 'free' : 'held',
    holder: holder === undefined ? null : contenderJson(holder),
    holder_is_dead: record !== null && context.host.isDead(record.process),
    waiting: others.map(contenderJson),
    ...(leader === undefined
      ? {}
      : {
          ctdb: {
            leader: leader.kind === 'leader' ? leader.pnn : null,
            runs: leader.kind !== 'silent',
            agrees: agrees(leader, view) ?? null,
          },
        }),
    cluster_id: view.clusterId,
    revision: Number(view.revision),
  };
}
