import { randomBytes } from 'node:crypto';
import type { Config, Endpoint } from '../../src/config/config.ts';
import { EtcdError } from '../../src/base/errors.ts';
import {
  leaseIdFrom,
  type AbortReason,
  type CallOptions,
  type LeaseId,
  type Member,
} from '../../src/cluster/member.ts';
import type { Clock } from '../../src/base/clock.ts';
import { DnsCache } from '../../src/connect/dns-cache.ts';
import { makeLookUp } from '../../src/connect/look-up.ts';
import { makeMembers } from '../../src/etcd/client.ts';
import { makeRealClock } from '../../src/process/real-clock.ts';
import { configOf } from './config-text.ts';
import { NO_TLS_KEYS } from './tls-config.ts';

/** What a transport test says about its configuration. */
export type Wishes = Partial<Omit<Config, 'tls'>> & { readonly tls?: Partial<Config['tls']> };

/** The configuration of an empty file, without endpoints and a watchdog, and with what is wished. */
export function configWith(wishes: Wishes): Config {
  return {
    ...configOf('').config,
    file: undefined,
    endpoints: [],
    netbiosName: 'TEST',
    watchdog: false,
    ...wishes,
    tls: { ...NO_TLS_KEYS, ...wishes.tls },
  };
}

/** The endpoint that `host:port` names; plain unless said otherwise. */
export function endpointFrom(hostPort: string, secure = false): Endpoint {
  const colon = hostPort.lastIndexOf(':');
  return { secure, host: hostPort.slice(0, colon), port: Number(hostPort.slice(colon + 1)) };
}

/** The parts of the world that members need, with names that the system looks up. */
export function depsOf(clock: Clock = makeRealClock()): { readonly clock: Clock; readonly names: DnsCache } {
  return { clock, names: new DnsCache(makeLookUp(clock)) };
}

/** The one member behind `host:port`; closed at the end of the block. */
export async function reach(
  hostPort: string,
  wishes: Wishes & { readonly secure?: boolean } = {},
): Promise<Member & Disposable> {
  const { secure = false, ...config } = wishes;
  const endpoints = [endpointFrom(hostPort, secure)];
  const [member] = await makeMembers(configWith({ endpoints, ...config }), depsOf());
  if (member === undefined) throw new Error('No member was made');
  return disposable(member);
}

export function disposable(member: Member): Member & Disposable {
  return Object.assign(member, {
    [Symbol.dispose]: () => {
      member.close();
    },
  });
}

/** For a call that must end by itself: given up, and its connection with it, after `limitMs`. */
export function withinMs(limitMs = 5_000, reason: AbortReason = 'timeout'): CallOptions {
  const controller = new AbortController();
  setTimeout(() => {
    controller.abort(reason);
  }, limitMs).unref();
  return { signal: controller.signal };
}

export function newLeaseId(): LeaseId {
  return leaseIdFrom(randomBytes(8));
}

/** The error that a call rejects with; fails when it does not. */
export async function errorOf(call: Promise<unknown>): Promise<EtcdError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof EtcdError) return error;
    throw error;
  }
  throw new Error('The call succeeded');
}

/** Records what a watch tells, in order: `delete`, `put`, `end: reason`. */
export function recordWatch(
  member: Member,
  key: string,
  fromRevision: bigint,
): { readonly events: string[]; readonly stop: () => void } {
  const events: string[] = [];
  const stop = member.watch(key, fromRevision, {
    onDelete: () => events.push('delete'),
    onPut: () => events.push('put'),
    onEnd: (reason) => events.push(`end: ${reason}`),
  });
  return { events, stop };
}
