import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdMember } from '../support/etcd-cluster.ts';
import type { MutexParent } from '../support/mutex-parent.ts';
import type { Contestant } from './contestants.ts';
import { holdContestant, runContestant } from './contestants.ts';
import { countsOf } from './etcd-meter.ts';
import type { Stage } from './stage.ts';

/** What one contestant needed, attempt by attempt, in milliseconds. */
export interface StartFigures {
  /** From just before fork and exec to the first byte, with the lock free. */
  readonly freeMs: number[];
  /** The same, with the lock held by another. */
  readonly contendedMs: number[];
  /** From SIGTERM to a holder until its process is gone. */
  readonly goneMs: number[];
  /** Entries of the raft log that one refused attempt added, its rest after the answer included. */
  readonly contendedEntries: number[];
  /** Keys that one refused attempt left behind. */
  readonly keysLeft: number[];
}

// A holder that has just answered still starts its watchdog and opens its watch; its end is measured in peace.
const SETTLE_MS = 300;

export class StartPhase {
  readonly figures = new Map<string, StartFigures>();
  readonly #stage: Stage;
  readonly #parent: MutexParent;
  readonly #contestants: readonly Contestant[];

  constructor(stage: Stage, parent: MutexParent, contestants: readonly Contestant[]) {
    this.#stage = stage;
    this.#parent = parent;
    this.#contestants = contestants;
    for (const { id } of contestants) this.#forget(id);
  }

  /** One attempt of each contestant in turn, and again; each round starts with another, so that none has a fixed neighbor. */
  async run(rounds: number, onRound: (round: number) => void): Promise<void> {
    for (let round = 0; round <= rounds; round += 1) {
      for (const index of this.#contestants.keys()) {
        const contestant = this.#contestants[(index + round) % this.#contestants.length];
        if (contestant === undefined) continue;
        await this.#take(contestant);
      }
      // The first round has brought the programs into memory.
      if (round === 0) for (const { id } of this.#contestants) this.#forget(id);
      else onRound(round);
    }
  }

  /** Attempts on a lock that another instance of the same contestant holds. */
  async runContended(rounds: number, onRound: (round: number) => void): Promise<void> {
    const contenders = this.#contestants.filter(({ refusal }) => refusal !== undefined);
    const holders = [];
    for (const one of contenders) holders.push(await holdContestant(this.#parent, this.#stage, one, 'taken'));
    for (let round = 0; round <= rounds; round += 1) {
      for (const index of contenders.keys()) {
        const contestant = contenders[(index + round) % contenders.length];
        if (contestant !== undefined) await this.#contend(contestant, round > 0);
      }
      if (round > 0) onRound(round);
    }
    for (const holder of holders) await holder.release(30_000);
  }

  #forget(id: string): void {
    this.figures.set(id, {
      freeMs: [],
      contendedMs: [],
      goneMs: [],
      contendedEntries: [],
      keysLeft: [],
    });
  }

  #figuresOf({ id }: Contestant): StartFigures {
    const figures = this.figures.get(id);
    if (figures === undefined) throw new Error(`${id} is not measured`);
    return figures;
  }

  async #take(contestant: Contestant): Promise<void> {
    const helper = await holdContestant(this.#parent, this.#stage, contestant, 'free');
    const figures = this.#figuresOf(contestant);
    figures.freeMs.push((helper.answeredAtMs ?? NaN) - helper.startedAtMs);
    await delay(SETTLE_MS);
    const { atMs } = await helper.release(30_000);
    figures.goneMs.push(atMs - (helper.signalledAtMs ?? NaN));
  }

  async #contend(contestant: Contestant, counts: boolean): Promise<void> {
    const member = contestant.etcd?.member(0);
    const before = member && (await countsOf(member));
    const keysBefore = await contestant.countKeys?.();
    const startedMs = performance.now();
    const helper = await runContestant(this.#parent, this.#stage, contestant, 'taken', true);
    const answer = await helper.answer(30_000);
    if (answer !== contestant.refusal) {
      throw new Error(`${contestant.title} answered "${answer}" to a lock that is held: ${helper.stderr}`);
    }
    await helper.exited(30_000);
    await delay(SETTLE_MS);
    if (!counts) return;
    const figures = this.#figuresOf(contestant);
    figures.contendedMs.push((helper.answeredAtMs ?? NaN) - helper.startedAtMs);
    if (member === undefined || before === undefined) return;
    const after = await countsOf(member);
    const tookMs = performance.now() - startedMs;
    const keysAfter = await contestant.countKeys?.();
    if (keysBefore !== undefined && keysAfter !== undefined) figures.keysLeft.push(keysAfter - keysBefore);
    figures.contendedEntries.push(
      after.entries -
        before.entries -
        (await entriesOfHolder(member, after.keepAlives - before.keepAlives, tookMs)),
    );
  }
}

/**
 * The entries that the holder has added in the same time. With keepalives they are counted: a contender sends none. Other
 * holders are watched for as long again.
 */
async function entriesOfHolder(member: EtcdMember, keepAlives: number, tookMs: number): Promise<number> {
  const before = await countsOf(member);
  if (before.keepAlives > 0) return keepAlives;
  await delay(tookMs);
  return (await countsOf(member)).entries - before.entries;
}
