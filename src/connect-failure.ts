import type { EtcdErrorKind } from './errors.ts';

/** What a connection that could not be made means to the administrator. */
export interface ConnectFailure {
  /** Names the message in the failure guide. */
  readonly id: string;
  readonly kind: EtcdErrorKind;
  readonly message: string;
  readonly remedy?: string;
}

/** What was dialled answers, but not in HTTP/2. */
export const NO_HTTP2 = 'no HTTP/2';
/** It closed the connection before a word of HTTP/2. */
export const CLOSED_EARLY = 'closed early';

/** A failed call has a text and no more; what we found out about a failed connection travels in that. */
export function connectFailureText(failure: ConnectFailure): string {
  return JSON.stringify(failure);
}

/** The remedy where nothing more is known. */
export const CHECK_HOSTS = 'check that etcd runs there and that hosts and port are right';

/** Of what somebody else says, enough for a message. */
export function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, 200).trim();
}
