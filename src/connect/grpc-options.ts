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
  // In bytes. Each byte of an unfinished message can cost 300 bytes of memory, when it comes in a frame of its own. The
  // largest answers that the helper needs are one key of at most 2.4 kB with a value of less than 1 kB, a token of a few kB,
  // and the list of the members: 1.1 kB for each with three URLs of the longest names, so 35 kB for 32 members.
  'grpc.max_receive_message_length': 65_536,
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
