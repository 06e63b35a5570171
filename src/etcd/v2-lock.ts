import { sleepUntil } from '../base/clock.ts';
import type { Config, Endpoint } from '../config/config.ts';
import { makeSecure } from '../connect/tls.ts';
import type { Log } from '../base/log.ts';
import { discover, makeResolveSrv } from '../connect/srv.ts';
import { TlsFiles } from '../connect/tls-files.ts';
import { askV2, NOT_FOUND, statusOf, type V2Tools } from './v2-question.ts';

/** A lock of Samba's Python helper, as etcd's API v2 shows it. */
export interface V2Lock {
  /** The oldest key, such as `/_locks/_ctdb/NAME/00000000000000000012`. */
  readonly key: string;
  /** The CTDB number of the node that holds it; undefined when the value does not end in one. */
  readonly pnn: number | undefined;
}

// The prefix of python-etcd's locks, which the Python helper does not let anyone change.
const LOCK_PREFIX = '/_locks';

// The question is asked once, before a free lock is taken. A member answers it in a few milliseconds or not at all.
const LIMIT_MS = 400;

// From the first answer of a member that has no API v2. The other members most likely have none either, and one of them may
// be silent; those that have it answer within a few milliseconds.
const PATIENCE_MS = 50;

/** The directory in which the Python helper keeps the lock `lockName`. */
export function v2LockDirectory(locksDir: string, lockName: string): string {
  return `${LOCK_PREFIX}/${locksDir}/${lockName}`;
}

/** Undefined: the answer says nothing. Null: there is no lock. */
type Finding = V2Lock | null | undefined;

interface V2Node {
  readonly key?: unknown;
  readonly value?: unknown;
  readonly nodes?: unknown;
}

/** The oldest key below `node`. The API sorts keys by name, which is the order in which they were made. */
function oldestIn(node: V2Node): V2Lock | null {
  for (const child of Array.isArray(node.nodes) ? (node.nodes as V2Node[]) : []) {
    if (typeof child.key !== 'string') continue;
    const pnn = /_(\d+)$/.exec(String(child.value))?.[1];
    return { key: child.key, pnn: pnn === undefined ? undefined : Number(pnn) };
  }
  return null;
}

// A member answers 404 when there is no lock, and when it has no API v2. Only a member that has the API names its cluster: etcd has had that header since 2.0, and 3.6 has neither the header nor the API.
const HAS_V2 = /\r\nx-etcd-cluster-id:/i;

/** What one complete answer says. */
function findingIn(answer: string): Finding {
  const status = statusOf(answer);
  // A member without the API knows nothing of a lock that the others show, as in a cluster of which a part is 3.6.
  if (status === NOT_FOUND) return HAS_V2.test(answer) ? null : undefined;
  if (status !== '200') return undefined;
  try {
    const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as { node?: V2Node };
    return body.node === undefined ? undefined : oldestIn(body.node);
  } catch {
    return undefined;
  }
}

/**
 * Looks for a lock of Samba's Python helper, which uses API v2, where v3 does not show it. All members are asked at
 * once, and the first clear answer of a member that has the API counts. Undefined when there is no lock, when no member
 * answers within 0.4 s, or when one has no API v2 and no other answers within 50 ms after it; that does not prove that
 * there is no lock. Never rejects.
 */
export async function findV2Lock(
  endpoints: readonly Endpoint[],
  directory: string,
  tools: V2Tools,
  byMs: number,
): Promise<V2Lock | undefined> {
  const over = new AbortController();
  const limit = sleepUntil(tools.clock, Math.min(byMs, tools.clock.now() + LIMIT_MS), over.signal);
  const known = new Promise<V2Lock | undefined>((resolve) => {
    const asked = endpoints.map(async (endpoint) => {
      const answer = await askV2(endpoint, directory, tools, over.signal);
      const finding = findingIn(answer);
      if (finding !== undefined) resolve(finding ?? undefined);
      else if (statusOf(answer) === NOT_FOUND) {
        void sleepUntil(tools.clock, tools.clock.now() + PATIENCE_MS, over.signal).then(() => {
          resolve(undefined);
        });
      }
    });
    void Promise.all([...asked]).then(() => {
      resolve(undefined);
    });
  });
  const found = await Promise.race([known, limit]);
  over.abort();
  return found ?? undefined;
}

/**
 * Looks for the lock of the Python helper that `config` describes, for the time in which a cluster changes from one
 * helper to the other. Logs one line about it and resolves to a key that names its holder. Never rejects.
 */
export async function lookForV2Lock(
  config: Config,
  lockName: string,
  { clock, names, log }: Pick<V2Tools, 'clock' | 'names'> & { readonly log: Log },
  byMs: number,
): Promise<{ readonly key: string; readonly value: string } | undefined> {
  const { srvDomain, tls, login, tlsWantedBy } = config;
  const endpoints =
    srvDomain === undefined
      ? config.endpoints
      : await discover(srvDomain, makeResolveSrv(clock), tlsWantedBy).catch(() => []);
  const tools: V2Tools = {
    clock,
    names,
    secure: makeSecure(tls, new TlsFiles(tls), ['http/1.1']),
    login,
  };
  const found = await findV2Lock(endpoints, v2LockDirectory(config.locksDir, lockName), tools, byMs);
  if (found === undefined) return undefined;
  const holder = found.pnn === undefined ? 'the Python helper' : `the Python helper on node ${found.pnn}`;
  log.warning(
    'warn-python',
    `Lock is held in etcd v2 by ${holder}, key ${found.key}; run the same helper on all nodes`,
  );
  return { key: found.key, value: '' };
}
