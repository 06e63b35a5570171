import type { ProcessIdentity } from './local-host.ts';

/** The value of the lock's key. It tells people and contenders who holds the lock. */
export interface HolderRecord {
  readonly node: string;
  readonly host: string;
  /** CTDB's number of the node; undefined when it was not known in time. */
  readonly pnn: number | undefined;
  readonly process: ProcessIdentity;
  /** When the lock was asked for: ISO 8601, UTC. */
  readonly since: string;
  readonly version: string;
  readonly ttlMs: number;
  readonly refreshMs: number;
  /**
   * The endpoint through which the key was put; '' when unknown. Because of it, two puts of the same key have different
   * values.
   */
  readonly via: string;
}

/** The record as JSON, with durations in seconds. */
export function formatHolder(record: HolderRecord): string {
  return JSON.stringify({
    node: record.node,
    host: record.host,
    pnn: record.pnn,
    pid: record.process.pid,
    since: record.since,
    version: record.version,
    ttl: record.ttlMs / 1000,
    refresh: record.refreshMs / 1000,
    via: record.via,
    start_ticks: record.process.startTicks,
    boot_id: record.process.bootId,
    namespaces: record.process.namespaces,
  });
}

/** Reads a value that `formatHolder` wrote. Null for any other value, such as the empty value of `etcdctl lock`. */
export function parseHolder(value: string): HolderRecord | null {
  let json: unknown;
  try {
    json = JSON.parse(value);
  } catch {
    return null;
  }
  if (typeof json !== 'object' || json === null) return null;
  const field = new Map(Object.entries(json));
  const text = (name: string): string | undefined => {
    const found: unknown = field.get(name);
    return typeof found === 'string' ? found : undefined;
  };
  const number = (name: string): number | undefined => {
    const found: unknown = field.get(name);
    return typeof found === 'number' && found >= 0 ? found : undefined;
  };
  const [pid, startTicks, ttl, refresh] = ['pid', 'start_ticks', 'ttl', 'refresh'].map(number);
  const [node, host, since, version, via] = ['node', 'host', 'since', 'version', 'via'].map(text);
  const [bootId, namespaces] = ['boot_id', 'namespaces'].map(text);
  if (pid === undefined || startTicks === undefined || ttl === undefined || refresh === undefined)
    return null;
  if (bootId === undefined || namespaces === undefined) return null;
  return {
    node: node ?? '',
    host: host ?? '',
    pnn: number('pnn'),
    process: { bootId, namespaces, pid, startTicks },
    since: since ?? '',
    version: version ?? '',
    ttlMs: ttl * 1000,
    refreshMs: refresh * 1000,
    via: via ?? '',
  };
}

/** `node N2 on host fs2, pid 4711, since 2026-01-02T03:04:05.000Z`, for messages. */
export function describeHolder(key: string, value: string): string {
  const record = parseHolder(value);
  if (record === null) return `the unknown owner of key ${key}`;
  const pnn = record.pnn === undefined ? '' : ` (PNN ${record.pnn})`;
  return `pid ${record.process.pid} on ${record.host}${pnn} since ${record.since}`;
}
