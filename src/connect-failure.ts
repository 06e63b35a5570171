import type { EtcdErrorKind } from './errors.ts';

/** What a connection that could not be made means to the administrator. */
export interface ConnectFailure {
  /** Names the message in the failure guide. */
  readonly id: string;
  readonly kind: EtcdErrorKind;
  readonly message: string;
  readonly remedy?: string;
}

/** grpc-js passes on nothing of a failed connection but its text; what we found out travels in that. */
export function connectFailureText(failure: ConnectFailure): string {
  return JSON.stringify(failure);
}

/** The remedy where nothing more is known. */
export const CHECK_HOSTS = 'check that etcd runs there and that hosts and port are right';

/** Of what somebody else says, enough for a message. */
export function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, 200).trim();
}
