import type { Checked } from './value-checks.ts';
import { wholeNumber } from './value-checks.ts';

/** What one channel option takes. */
interface GrpcOption {
  /** A noun phrase that follows "want". */
  readonly want: string;
  readonly check: (text: string) => Checked<string | number>;
}

function numberOption(smallest: number, largest: number): GrpcOption {
  const want = `a whole number from ${smallest} to ${largest}`;
  return { want, check: wholeNumber(smallest, largest, want) };
}

// Header values in HTTP/2; anything else would fail each call.
function headerText(): GrpcOption {
  const want = 'printable ASCII characters, at most 200';
  return { want, check: (text) => (/^[\x20-\x7e]{1,200}$/.test(text) ? { value: text } : { want }) };
}

/** The lock sets this one itself; another value would take a promise back. */
function ours(reason: string): GrpcOption {
  const want = `no such line: ${reason}`;
  return { want, check: () => ({ want }) };
}

const NO_RETRIES = 'retries below the lock would repeat transactions whose outcome is unknown';

/** The channel options of grpc-js 1.14 that make sense for a client, with the limits inside which the lock stays safe. */
export const GRPC_OPTIONS: ReadonlyMap<string, GrpcOption> = new Map([
  // etcd ends connections that ping more often than every 5 s (--grpc-keepalive-min-time).
  ['grpc.keepalive_time_ms', numberOption(5_000, 3_600_000)],
  ['grpc.keepalive_timeout_ms', numberOption(100, 600_000)],
  ['grpc.keepalive_permit_without_calls', numberOption(0, 1)],
  ['grpc.initial_reconnect_backoff_ms', numberOption(10, 10_000)],
  ['grpc.max_reconnect_backoff_ms', numberOption(100, 10_000)],
  ['grpc.client_idle_timeout_ms', numberOption(1_000, 2_147_483_647)],
  // Answers are a few hundred bytes; the upper limit bounds what a hostile server can make us hold.
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
  ['grpc.enable_http_proxy', ours('members are always dialled directly')],
  ['grpc.http_connect_target', ours('members are always dialled directly')],
  ['grpc.http_connect_creds', ours('members are always dialled directly')],
  ['grpc-node.tls_enable_trace', ours('its output could hold a password')],
]);

/** True for a key that is meant as a channel option, known or not. */
export function isGrpcKey(key: string): boolean {
  return key.startsWith('grpc.') || key.startsWith('grpc-node.');
}
