/** What gRPC to etcd goes by: the options of a connection, and what each call says of itself. */
import type { Endpoint } from '../config/config.ts';
import { hostPort } from './dial.ts';
import type { HeaderField } from '../hpack.ts';
import { DEFAULT_WINDOW_BYTES } from '../http2-frames.ts';

const USER_AGENT = 'grpc-node-ctdb_etcd_lock';

/** The configuration's `grpc.*` keys, and what holds without them. */
const DEFAULT_OPTIONS = {
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
  'grpc.client_idle_timeout_ms': 30 * 60_000,
  'grpc-node.max_session_memory': 10,
  'grpc-node.flow_control_window': DEFAULT_WINDOW_BYTES,
  'grpc.primary_user_agent': '',
  'grpc.secondary_user_agent': '',
  'grpc.default_authority': '',
};

export type GrpcOptions = Readonly<typeof DEFAULT_OPTIONS>;

/** @param configured has been checked: see `grpc-options.ts` */
export function withDefaults(configured: Readonly<Record<string, string | number>>): GrpcOptions {
  return { ...DEFAULT_OPTIONS, ...configured };
}

/** The header fields of each call, beside its path and what it shows the member. */
export function fieldsOf(endpoint: Endpoint, options: GrpcOptions): HeaderField[] {
  const userAgent = [options['grpc.primary_user_agent'], USER_AGENT, options['grpc.secondary_user_agent']];
  return [
    [':method', 'POST'],
    [':scheme', endpoint.secure ? 'https' : 'http'],
    [':authority', options['grpc.default_authority'] || hostPort(endpoint)],
    ['te', 'trailers'],
    ['content-type', 'application/grpc'],
    ['user-agent', userAgent.filter((part) => part !== '').join(' ')],
  ];
}
