import { givenUp } from './call.ts';

interface UnderWay<T> {
  readonly controller: AbortController;
  readonly promise: Promise<T>;
}

/**
 * One request to a member that any number of calls wait for, such as a login. While it runs, a further call joins it.
 * When a call reaches its time limit, the request is aborted too, because it runs on the same suspect connection. A
 * call whose answer is no longer needed leaves the request to the other calls.
 */
export class SingleFlight<T> {
  readonly #name: () => string;
  readonly #ask: (signal: AbortSignal) => Promise<T>;
  #underWay: UnderWay<T> | undefined;

  /** @param name returns the endpoint, for messages */
  constructor(name: () => string, ask: (signal: AbortSignal) => Promise<T>) {
    this.#name = name;
    this.#ask = ask;
  }

  /** Starts the request before the first call waits for it. A failure is ignored here: the first call asks again. */
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
