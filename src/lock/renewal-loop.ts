import type { Clock } from '../base/clock.ts';
import { WATCHDOG_GRACE_MS, type Watchdog } from './watchdog.ts';
import { type Deadline, deadlineMsOf } from './deadline.ts';
import type { EndReason } from './end-reason.ts';
import { EtcdError, etcdErrorText } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Member } from '../cluster/member.ts';
import type { Members } from '../cluster/members.ts';
import { EndpointRefusals } from './endpoint-refusals.ts';
import { renewOn, type HeldKey, type Renewal } from './renewal.ts';
import type { StoreWatch } from './store-watch.ts';
import type { Timing } from '../config/timing.ts';

export interface RenewalTools {
  readonly members: Members;
  readonly clock: Clock;
  readonly timing: Timing;
  readonly log: Log;
  readonly watchdog: Watchdog;
}

// The wait after the whole cluster refused a renewal, for example because a role or a password was changed. It may be
// corrected before the deadline.
const REFUSED_RETRY_MS = 500;

type Refused = EndReason & { readonly kind: 'refused' };
type KeyLost = EndReason & { readonly kind: 'keyLost' };

/** Renews the lease every `refresh`. Each proven renewal moves the deadline and the instant that the watchdog knows. */
export class RenewalLoop {
  readonly #held: HeldKey;
  readonly #deadline: Deadline;
  readonly #store: StoreWatch;
  readonly #tools: RenewalTools;
  readonly #refusals: EndpointRefusals;
  /** Only a renewal that was sent at or after this instant counts. */
  #trustedFromMs = -Infinity;
  #provenRevision: bigint;
  #lastFailure: string | undefined;
  /** Ends the current pause. Has no effect when there is none. */
  #wake: () => void = () => undefined;

  constructor(held: HeldKey, deadline: Deadline, store: StoreWatch, tools: RenewalTools) {
    this.#held = held;
    this.#store = store;
    this.#refusals = new EndpointRefusals(tools.members.all.length);
    this.#deadline = deadline;
    this.#tools = tools;
    this.#provenRevision = held.createRevision;
    this.#feedWatchdog();
  }

  /** The error of the last renewal that failed; undefined after one that succeeded. */
  get lastFailure(): string | undefined {
    return this.#lastFailure;
  }

  /** The last revision in which the key is known to have existed. */
  get provenRevision(): bigint {
    return this.#provenRevision;
  }

  /** Makes the next renewal come at once, because another client has written the key. */
  renewNow(): void {
    this.#wake();
  }

  /**
   * Called when more time may have passed than the clock shows. A renewal that was sent earlier no longer counts. The
   * lock must be proven again within two attempts, or it is lost.
   */
  distrustClock(): void {
    const { clock, timing } = this.#tools;
    this.#trustedFromMs = clock.now();
    this.#deadline.shortenTo(this.#trustedFromMs + 2 * timing.attemptMs);
    this.#feedWatchdog();
    this.#wake();
  }

  /** Resolves when a renewal finds that the lock is lost, or when the deadline has passed. */
  async run(signal: AbortSignal): Promise<EndReason> {
    const { clock, timing, log } = this.#tools;
    signal.addEventListener('abort', () => {
      this.#wake();
    });
    // The first renewal is due earlier when taking the lock was slow, because part of the lease has been used up.
    let nextMs = this.#onBeat(this.#held.restartedAtMs + timing.refreshMs);
    for (;;) {
      await this.#pauseUntil(nextMs, signal);
      if (this.#isOver(signal)) return this.#overtaken();
      const renewal = await this.#renew(signal);
      if (renewal === undefined) {
        if (this.#isOver(signal)) return this.#overtaken();
        nextMs = clock.now() + REFUSED_RETRY_MS;
      } else if (renewal.kind !== 'proven') {
        return renewal;
      } else if (renewal.sentAtMs < this.#trustedFromMs) {
        nextMs = clock.now();
      } else {
        const deadlineMs = deadlineMsOf(timing, renewal.sentAtMs, renewal.ttlMs);
        if (!this.#deadline.extendTo(deadlineMs)) return this.#overtaken();
        this.#feedWatchdog();
        this.#provenRevision = renewal.revision;
        this.#lastFailure = undefined;
        this.#refusals.clear();
        this.#store.look();
        log.trace(
          'info-renewed',
          () => `Renewal proven, deadline in ${Math.round(deadlineMs - clock.now())} ms`,
        );
        nextMs = this.#onBeat(renewal.sentAtMs + timing.refreshMs);
      }
    }
  }

  /** One renewal, through the first member that proves it. Resolves to undefined when none did before the deadline. */
  async #renew(signal: AbortSignal): Promise<Renewal | KeyLost | Refused | undefined> {
    const { members, clock, timing } = this.#tools;
    const hasTimeForOne = clock.now() + timing.attemptMs <= this.#deadline.atMs;
    try {
      return await members.ask(
        async (member, call) => {
          try {
            const renewal = await renewOn(member, call, this.#held, clock);
            return renewal.kind === 'keyLost' ? this.#lossAt(member, renewal) : renewal;
          } catch (error) {
            if (!(error instanceof EtcdError)) throw error;
            this.#note(error, this.#deadline.hasPassed());
            if (error.kind === 'proxy') this.#store.excludeProxy(member, error);
            throw this.#refusals.add(error) ?? error;
          }
        },
        this.#deadline.atMs,
        signal,
      );
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      if (error.kind === 'otherStore') return { kind: 'refused', id: error.id, how: etcdErrorText(error) };
      if (!signal.aborted) {
        this.#note(error, !hasTimeForOne);
        members.preferNext();
      }
      return undefined;
    }
  }

  /**
   * The loss at an endpoint. When that endpoint has never shown the key, it may lead to another store, and the message
   * says so.
   */
  #lossAt({ endpoint }: Member, loss: KeyLost): KeyLost {
    const { home } = this.#held;
    if (this.#store.isSameStore(endpoint)) return loss;
    return {
      kind: 'keyLost',
      how: `the key is not at ${endpoint}: it was deleted, or that is another store than ${home.endpoint}`,
      maySplit: true,
    };
  }

  /**
   * The last beat at or before `atMs`. The holder wakes up at each beat anyway, so the renewal needs no extra wake-up.
   * With a `refresh` shorter than two beats it is `atMs` itself, because the beat could come at half the interval.
   */
  #onBeat(atMs: number): number {
    const { refreshMs, parentCheckMs } = this.#tools.timing;
    return refreshMs < 2 * parentCheckMs ? atMs : Math.floor(atMs / parentCheckMs) * parentCheckMs;
  }

  /** Keeps the earlier failure when the deadline cut an attempt short, because that attempt's timeout tells less. */
  #note(error: EtcdError, isCutShort: boolean): void {
    if (isCutShort && error.kind === 'timeout' && this.#lastFailure !== undefined) return;
    this.#lastFailure = textOf(error);
  }

  #isOver(signal: AbortSignal): boolean {
    return signal.aborted || this.#deadline.hasPassed();
  }

  /** The reason when the deadline has passed before a renewal was proven. */
  #overtaken(): EndReason {
    return { kind: 'deadlinePassed', how: this.#lastFailure ?? 'this process was paused' };
  }

  #feedWatchdog(): void {
    this.#tools.watchdog.feed(this.#deadline.atMs + WATCHDOG_GRACE_MS);
  }

  #pauseUntil(atMs: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const wake = (): void => {
      stop();
      resolve(undefined);
    };
    const stop = this.#tools.clock.at(atMs, wake);
    this.#wake = wake;
    if (signal.aborted) wake();
    return promise;
  }
}

/** The text of a failure, with its remedy. A failure of all members already names each endpoint. */
function textOf({ endpoint, message, remedy }: EtcdError): string {
  const what = endpoint === '' ? message : `${endpoint}: ${message}`;
  return remedy === undefined ? what : `${what}; ${remedy}`;
}
