/** What grpc-js is told for each connection to etcd. */
import type { ChannelOptions } from '@grpc/grpc-js';
import type { Endpoint } from '../config/config.ts';
import { hostPort } from './dial.ts';

/** What holds where the configuration has no `grpc.*` key. */
const DEFAULT_OPTIONS: ChannelOptions = {
  // A watch is the only call that can be silent for long. etcd counts pings that come more often than every 5 s
  // (--grpc-keepalive-min-time) as an attack and closes the connection, so 10 s keep clear of that; they are sent only
  // while a call is open, as etcd demands.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.keepalive_permit_without_calls': 0,
  // Our answers have a few hundred bytes. etcd takes keys and values of at most 1.5 MiB together (--max-request-bytes),
  // and somebody's large one in the lock's directory must not be in our way.
  'grpc.max_receive_message_length': 2 * 1024 * 1024,
  'grpc.max_send_message_length': 16 * 1024 * 1024,
  // Megabytes that one connection may take of what a server sends; without it grpc-js sets no limit.
  'grpc-node.max_session_memory': 10,
  'grpc.primary_user_agent': 'ctdb_etcd_lock',
};

/** @param configured the `grpc.*` keys, which have been checked: see `grpc-options.ts` */
export function channelOptions(
  endpoint: Endpoint,
  configured: Readonly<Record<string, string | number>>,
): ChannelOptions {
  return { ...DEFAULT_OPTIONS, 'grpc.default_authority': hostPort(endpoint), ...configured };
}
