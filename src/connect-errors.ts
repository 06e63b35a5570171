import type { EtcdErrorKind } from './errors.ts';

/** What a connection that could not be made means to the administrator. */
export interface ConnectFailure {
  readonly kind: EtcdErrorKind;
  readonly message: string;
  readonly remedy?: string;
}

/** Reads grpc-js's account of a connection that could not be made; undefined when `details` is something else. */
export function explainConnectFailure(details: string): ConnectFailure | undefined {
  const text = /Last error: (?:Error: )?(.*?)\.? Resolution note:/s.exec(details)?.[1];
  if (text === undefined) return undefined;
  if (text.includes('ECONNREFUSED')) {
    return {
      kind: 'unavailable',
      message: 'connection refused',
      remedy: 'start etcd there, or correct hosts and port',
    };
  }
  return { kind: 'unavailable', message: text };
}
