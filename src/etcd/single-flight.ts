import { givenUp } from './call.ts';

interface UnderWay<T> {
  readonly controller: AbortController;
  readonly promise: Promise<T>;
}

/**
 * Something that is asked of a member once while any number of calls wait for it, such as a login. A call that gives up
 * because of time gives up the asking too: it is on the same connection, which is in doubt then. A call whose answer is no
 * longer wanted leaves it to the others.
 */
export class SingleFlight<T> {
  readonly #name: () => string;
  readonly #ask: (signal: AbortSignal) => Promise<T>;
  #underWay: UnderWay<T> | undefined;

  /** @param name the endpoint, for messages */
  constructor(name: () => string, ask: (signal: AbortSignal) => Promise<T>) {
    this.#name = name;
    this.#ask = ask;
  }

  /** Begins to ask ahead of the first call that waits; a failure is found out by that call, which asks again. */
  start(): void {
    this.#begin().promise.catch(() => undefined);
  }

  wait(signal: AbortSignal): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (signal.aborted) {
      reject(givenUp(this.#name(), signal));
      return promise;
    }
    const { controller, promise: asked } = this.#begin();
    const onAbort = (): void => {
      reject(givenUp(this.#name(), signal));
      if (signal.reason !== 'unwanted') controller.abort(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const stopListening = (): void => {
      signal.removeEventListener('abort', onAbort);
    };
    asked.then(resolve, reject).finally(stopListening);
    return promise;
  }

  #begin(): UnderWay<T> {
    if (this.#underWay !== undefined) return this.#underWay;
    const controller = new AbortController();
    const underWay: UnderWay<T> = {
      controller,
      promise: this.#ask(controller.signal).finally(() => {
        if (this.#underWay === underWay) this.#underWay = undefined;
      }),
    };
    this.#underWay = underWay;
    return underWay;
  }
}
