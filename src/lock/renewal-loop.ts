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

// After the cluster as a whole refused a renewal (a role or a password was changed): it may be mended before the deadline.
const REFUSED_RETRY_MS = 500;

type Refused = EndReason & { readonly kind: 'refused' };

/** Renews the lease at its pace, and moves the deadline, and the dead man's switch, with each renewal that is proven. */
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
  /** Ends the pause of the moment; does nothing once that is over. */
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

  /** What the last renewal that failed met with; undefined after one that succeeded. */
  get lastFailure(): string | undefined {
    return this.#lastFailure;
  }

  /** The last revision in which our key is known to have been in place. */
  get provenRevision(): bigint {
    return this.#provenRevision;
  }

  /** Renew now instead of at the usual pace: somebody touched our key. */
  renewNow(): void {
    this.#wake();
  }

  /**
   * The clock is in distrustClock: more time may have passed than it shows. Nothing sent before this moment is believed any more,
   * and the lock is proven anew within two attempts or given up.
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
    // A take that was slow has used up some of the lease.
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

  /** One renewal, on whichever member proves it first; undefined when none did before the deadline. */
  async #renew(signal: AbortSignal): Promise<Renewal | Refused | undefined> {
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

  /** An endpoint that has not shown the key before may lead to another store. */
  #lossAt({ endpoint }: Member, loss: Renewal & { readonly kind: 'keyLost' }): Renewal {
    const { home } = this.#held;
    if (this.#store.isSameStore(endpoint)) return loss;
    return {
      kind: 'keyLost',
      how: `the key is not at ${endpoint}: it was deleted, or that is another store than ${home.endpoint}`,
    };
  }

  /** On the beat before it, when that is near for such a pace: a holder that is awake anyway is not woken once more. */
  #onBeat(atMs: number): number {
    const { refreshMs, parentCheckMs } = this.#tools.timing;
    return refreshMs < 2 * parentCheckMs ? atMs : Math.floor(atMs / parentCheckMs) * parentCheckMs;
  }

  /** Silence of an attempt that the deadline cut short tells less than what came before it. */
  #note(error: EtcdError, isCutShort: boolean): void {
    if (isCutShort && error.kind === 'timeout' && this.#lastFailure !== undefined) return;
    this.#lastFailure = textOf(error);
  }

  #isOver(signal: AbortSignal): boolean {
    return signal.aborted || this.#deadline.hasPassed();
  }

  #overtaken(): EndReason {
    return { kind: 'deadlinePassed', how: this.#lastFailure ?? 'this process stood still' };
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

/** A failure of all members names each of them itself. */
function textOf({ endpoint, message }: EtcdError): string {
  return endpoint === '' ? message : `${endpoint}: ${message}`;
}
