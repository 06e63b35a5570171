import type { Checked } from './value-checks.ts';
import { wholeNumber } from './value-checks.ts';

/** The values that one channel option takes. */
interface GrpcOption {
  /** A noun phrase that follows "want". */
  readonly want: string;
  readonly check: (text: string) => Checked<string | number>;
}

function numberOption(smallest: number, largest: number): GrpcOption {
  const want = `a whole number from ${smallest} to ${largest}`;
  return { want, check: wholeNumber(smallest, largest, want) };
}

// The characters that a header value of HTTP/2 may have. Any other makes each call fail.
function headerText(): GrpcOption {
  const want = 'printable ASCII characters, at most 200';
  return { want, check: (text) => (/^[\x20-\x7e]{1,200}$/.test(text) ? { value: text } : { want }) };
}

/** An option that the helper sets itself. Another value would break a promise of the lock. */
function ours(reason: string): GrpcOption {
  const want = `no such line: ${reason}`;
  return { want, check: () => ({ want }) };
}

const NO_RETRIES = 'retries below the lock would repeat transactions whose outcome is unknown';

/** The channel options of grpc-js 1.14 for a client. The limits are those within which the lock stays safe. */
export const GRPC_OPTIONS: ReadonlyMap<string, GrpcOption> = new Map([
  // In milliseconds. etcd ends connections that ping more often than every 5 s (--grpc-keepalive-min-time).
  ['grpc.keepalive_time_ms', numberOption(5_000, 3_600_000)],
  ['grpc.keepalive_timeout_ms', numberOption(100, 600_000)],
  ['grpc.keepalive_permit_without_calls', numberOption(0, 1)],
  ['grpc.initial_reconnect_backoff_ms', numberOption(10, 10_000)],
  ['grpc.max_reconnect_backoff_ms', numberOption(100, 10_000)],
  ['grpc.client_idle_timeout_ms', numberOption(1_000, 2_147_483_647)],
  // In bytes. Answers have a few hundred bytes. The upper limit bounds the memory that a hostile server can fill.
  ['grpc.max_receive_message_length', numberOption(65_536, 16_777_216)],
  ['grpc.max_send_message_length', numberOption(65_536, 16_777_216)],
  ['grpc-node.max_session_memory', numberOption(1, 1_024)],
  ['grpc-node.flow_control_window', numberOption(65_535, 16_777_216)],
  ['grpc.primary_user_agent', headerText()],
  ['grpc.secondary_user_agent', headerText()],
  ['grpc.default_authority', headerText()],
  ['grpc.ssl_target_name_override', ours('server_name does it')],
  ['grpc.enable_retries', ours(NO_RETRIES)],
  ['grpc.service_config', ours(NO_RETRIES)],
  ['grpc.retry_buffer_size', ours(NO_RETRIES)],
  ['grpc.per_rpc_retry_buffer_size', ours(NO_RETRIES)],
  ['grpc-node.retry_max_attempts_limit', ours(NO_RETRIES)],
  ['grpc.service_config_disable_resolution', ours('no configuration is taken from DNS')],
  ['grpc.use_local_subchannel_pool', ours('each endpoint has one connection of its own')],
  ['grpc.enable_http_proxy', ours('members are always dialed directly')],
  ['grpc.http_connect_target', ours('members are always dialed directly')],
  ['grpc.http_connect_creds', ours('members are always dialed directly')],
  ['grpc-node.tls_enable_trace', ours('its output could hold a password')],
]);

/** True for a key that names a channel option, known or unknown. */
export function isGrpcKey(key: string): boolean {
  return key.startsWith('grpc.') || key.startsWith('grpc-node.');
}
