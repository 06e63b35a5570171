/** The options of grpc-js for each connection to etcd. */
import type { ChannelOptions } from '@grpc/grpc-js';
import type { Endpoint } from '../config/config.ts';
import { hostPort } from './dial.ts';

/** The values of keys that the configuration does not set. */
const DEFAULT_OPTIONS: ChannelOptions = {
  // In milliseconds. A watch is the only call that can be silent for long. etcd treats pings that come more often than
  // every 5 s (--grpc-keepalive-min-time) as an attack and closes the connection. Pings are sent only while a call is
  // open, as etcd requires.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.keepalive_permit_without_calls': 0,
  // In bytes. Answers have a few hundred bytes. etcd limits a request to 1.5 MiB (--max-request-bytes), and a large
  // value in the lock's directory must not stop the helper.
  'grpc.max_receive_message_length': 2 * 1024 * 1024,
  'grpc.max_send_message_length': 16 * 1024 * 1024,
  // In megabytes: the memory for data that the server sends on one connection. Without it grpc-js has no limit.
  'grpc-node.max_session_memory': 10,
  'grpc.primary_user_agent': 'ctdb_etcd_lock',
};

/** @param configured the checked `grpc.*` keys; see `config/grpc-keys.ts` */
export function channelOptions(
  endpoint: Endpoint,
  configured: Readonly<Record<string, string | number>>,
): ChannelOptions {
  return { ...DEFAULT_OPTIONS, 'grpc.default_authority': hostPort(endpoint), ...configured };
}
