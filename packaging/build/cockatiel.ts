/**
 * Stands in for cockatiel in the packed program. etcd3 guards with it the calls that it makes itself, and makes none here: see
 * `src/etcd/methods.ts`.
 */

export const circuitBreaker = (): undefined => undefined;
export const handleWhen = (): undefined => undefined;
export const ConsecutiveBreaker = class ConsecutiveBreaker {
  readonly isNeverAsked = true;
};

function never(): never {
  throw new Error('etcd3 has been asked to make a call by itself');
}

export const retry = never;
export const isBrokenCircuitError = never;
