import { certificatesShown, type CertificateEnd } from './certificates.ts';
import type { Look } from './check/endpoint-look.ts';
import type { CtdbLeader } from './ctdb-leader.ts';
import { type LockView, leaseText } from './lock-view.ts';
import { type Gauge, openMetricsText } from './openmetrics.ts';
import { printable } from './output.ts';
import { agrees } from './status-text.ts';

/** The values to publish. Undefined means unknown. */
export interface Observation {
  readonly version: string;
  readonly lock?: string;
  readonly view?: LockView;
  readonly leader?: CtdbLeader;
  /** By endpoint; undefined for an endpoint that does not answer. */
  readonly members?: readonly (readonly [endpoint: string, look: Look | undefined])[];
  readonly certificates?: readonly CertificateEnd[];
  readonly isHeldHere?: boolean;
  readonly tookMs: number;
}

const PREFIX = 'ctdb_etcd_lock';
const flag = (value: boolean): number => (value ? 1 : 0);
const seconds = (ms: number): number => Math.round(ms) / 1_000;

/** The metrics as text. Their names are an interface and do not change; docs/monitoring.md lists them. */
export function metricsText(seen: Observation): string {
  const { version, lock, view, leader, tookMs } = seen;
  const one = (
    name: string,
    help: string,
    value: number | bigint | undefined,
    unit?: Gauge['unit'],
  ): Gauge => ({
    name: `${PREFIX}_${name}`,
    help,
    ...(unit === undefined ? {} : { unit }),
    samples: value === undefined ? [] : [{ value }],
  });
  const doesAgree = leader === undefined || view === undefined ? undefined : agrees(leader, view);
  return openMetricsText([
    {
      name: `${PREFIX}_build_info`,
      help: 'The version of the program, and the lock that it is configured for.',
      samples: [{ labels: { version, lock: lock === undefined ? '' : printable(lock) }, value: 1 }],
    },
    one(
      'up',
      '1 when a member of etcd answered the question about the lock, 0 when none answered.',
      flag(view !== undefined),
    ),
    one('status_duration_seconds', 'Time that it took to ask.', seconds(tookMs), 'seconds'),
    ...(view === undefined ? [] : lockGauges(view, seen.isHeldHere ?? false, one)),
    one(
      'ctdb_leader_agrees',
      '1 when the leader of CTDB is the node that holds the lock, 0 when it is another one; absent when that cannot be told.',
      doesAgree === undefined ? undefined : flag(doesAgree),
    ),
    ...memberGauges(seen.members ?? []),
    certificateGauge([
      ...(seen.certificates ?? []),
      ...(seen.members ?? []).flatMap(([endpoint, look]) =>
        certificatesShown(endpoint, look?.http?.tls?.chain ?? []),
      ),
    ]),
  ]);
}

type One = (name: string, help: string, value: number | bigint | undefined, unit?: Gauge['unit']) => Gauge;

function lockGauges(view: LockView, isHere: boolean, one: One): Gauge[] {
  const [holder, ...waiting] = view.contenders;
  const record = holder?.record ?? null;
  const lease = holder?.lease ?? null;
  const sinceMs = record === null ? NaN : Date.parse(record.since);
  return [
    one('held', '1 when somebody holds the lock.', flag(holder !== undefined)),
    one('held_by_this_node', '1 when the holder runs on this node.', flag(isHere)),
    {
      name: `${PREFIX}_holder_info`,
      help: 'The holder of the lock. The labels are empty when another program holds it.',
      samples:
        holder === undefined
          ? []
          : [
              {
                labels: {
                  host: printable(record?.host ?? ''),
                  pnn: record?.pnn?.toString() ?? '',
                  version: printable(record?.version ?? ''),
                  lease: leaseText(holder),
                },
                value: 1,
              },
            ],
    },
    one(
      'held_since_timestamp_seconds',
      'When the holder asked for the lock, Unix time.',
      Number.isNaN(sinceMs) ? undefined : seconds(sinceMs),
      'seconds',
    ),
    one(
      'lease_ttl_seconds',
      'TTL of the lease of the holder.',
      lease === null ? undefined : seconds(lease.grantedTtlMs),
      'seconds',
    ),
    one(
      'lease_remaining_seconds',
      'Time that the lease of the holder has left, in whole seconds as etcd counts them.',
      lease === null ? undefined : seconds(lease.remainingMs),
      'seconds',
    ),
    one(
      'last_renewal_age_seconds',
      'Time since the lease was renewed: TTL less the time that is left, up to 1 s too long.',
      lease === null ? undefined : seconds(Math.max(0, lease.grantedTtlMs - lease.remainingMs)),
      'seconds',
    ),
    one(
      'waiting',
      'Contenders that queue behind the holder, such as etcdctl lock; helpers do not queue.',
      waiting.length,
    ),
    one(
      'fencing_revision',
      'Create revision of the key of the holder, which grows with each take.',
      holder?.createRevision,
    ),
    one('store_revision', 'Revision of the store of etcd.', view.revision),
  ];
}

function memberGauges(members: NonNullable<Observation['members']>): Gauge[] {
  const each = (value: (look: Look) => number | undefined): Gauge['samples'] =>
    members.flatMap(([endpoint, look]) => {
      const found = look === undefined ? undefined : value(look);
      return found === undefined ? [] : [{ labels: { endpoint }, value: found }];
    });
  return [
    {
      name: `${PREFIX}_member_reachable`,
      help: '1 when the member answered, with the TLS and the login of the configuration.',
      samples: members.map(([endpoint, look]) => ({ labels: { endpoint }, value: flag(look !== undefined) })),
    },
    {
      name: `${PREFIX}_member_round_trip_seconds`,
      help: 'Time that the member took to answer.',
      unit: 'seconds',
      samples: each(({ roundTripMs }) => Math.round(roundTripMs * 10) / 10_000),
    },
    {
      name: `${PREFIX}_member_has_leader`,
      help: '1 when the member knows a raft leader.',
      samples: each(({ seen }) =>
        seen.status === undefined ? undefined : flag(seen.status.leaderId !== '0'),
      ),
    },
    {
      name: `${PREFIX}_member_alarms`,
      help: 'Alarms that the member knows of, NOSPACE or CORRUPT.',
      samples: each(({ seen }) => seen.status?.alarms?.length),
    },
    {
      name: `${PREFIX}_member_database_bytes`,
      help: 'Size of the database of the member on disk.',
      unit: 'bytes',
      samples: each(({ seen }) => seen.status?.dbSizeBytes),
    },
    {
      name: `${PREFIX}_member_database_quota_bytes`,
      help: 'Size of the database at which the member refuses leases; etcd 3.6 and later say it.',
      unit: 'bytes',
      samples: each(({ seen }) => seen.status?.dbQuotaBytes),
    },
    {
      name: `${PREFIX}_member_info`,
      help: 'Version of the member.',
      samples: members.flatMap(([endpoint, look]) =>
        look?.seen.version === undefined
          ? []
          : [{ labels: { endpoint, version: look.seen.version }, value: 1 }],
      ),
    },
  ];
}

function certificateGauge(certificates: readonly CertificateEnd[]): Gauge {
  // A bundle may contain a certificate twice. Readers refuse a sample that is there twice.
  const samples = new Map(
    certificates.map(({ kind, where, subject, endsAtMs }) => {
      const labels = { kind, where, subject: printable(subject) };
      return [JSON.stringify(labels), { labels, value: seconds(endsAtMs) }] as const;
    }),
  );
  return {
    name: `${PREFIX}_certificate_expiry_timestamp_seconds`,
    help: 'When the certificate ends, Unix time; less time() and divided by 86400 it is the days that are left.',
    unit: 'seconds',
    samples: [...samples.values()],
  };
}
