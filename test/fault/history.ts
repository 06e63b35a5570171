import { monotonicMs } from '../support/mutex-parent.ts';
import type { KeyChange } from './gateway.ts';

/** How the run itself brought a claim to its end; undefined when it did not. */
export type Deed = 'terminated' | 'killed' | 'parent killed' | 'stopped' | 'key taken';

/** From the arrival of `0` to end of file, as CTDB sees it. All times are CLOCK_MONOTONIC, in milliseconds. */
export interface Claim {
  readonly node: string;
  readonly helper: string;
  readonly fromMs: number;
  toMs: number | undefined;
  /** What was done to the holder before its claim ended. */
  deed: Deed | undefined;
  /** When that was. */
  deedAtMs: number | undefined;
  /** The member of etcd that ended its lease although that had been renewed in time; undefined when none did. */
  revokedBy?: string;
}

/** One run of the helper, until its answer. */
export interface Attempt {
  readonly node: string;
  readonly helper: string;
  /** `take`: recoverd wants the lock. `check`: ctdbd's look at the end of a recovery, beside the holder. */
  readonly purpose: 'take' | 'check';
  readonly startedAtMs: number;
  answeredAtMs: number | undefined;
  /** '' for end of file without a byte. */
  answer: string | undefined;
  /** Of the time until the answer, for how long no processor was free for it. */
  waitedMs: number;
}

/** A key of the lock, as the first member that told of it did. */
export interface KeyLife {
  readonly key: string;
  readonly value: string;
  readonly createdAtMs: number;
  deletedAtMs: number | undefined;
}

/** A span in which the lock may be lost, and may be had by nobody. */
export interface Excuse {
  readonly reason: string;
  readonly fromMs: number;
  toMs: number | undefined;
}

// The test process asks several times a second.
const LONGEST_GAP_MS = 1_000;

/** Everything that happened in one world, on one clock. */
export class History {
  readonly startedAtMs = monotonicMs();
  readonly claims: Claim[] = [];
  readonly attempts: Attempt[] = [];
  readonly keys = new Map<string, KeyLife>();
  readonly excuses: Excuse[] = [];
  readonly notes: { readonly atMs: number; readonly text: string }[] = [];
  /** Helpers that the run killed: that they gave no answer says nothing. */
  readonly deadHelpers = new Set<string>();
  readonly stderr: { readonly helper: string; readonly text: string }[] = [];

  /** Calls to etcd that the test process, which no fault reaches, had answered: when each began and ended. */
  readonly answered: { readonly fromMs: number; readonly toMs: number }[] = [];

  /** The longest span between two times in which etcd as a whole went on answering: no call took longer than a second. */
  longestAnsweringMs(fromMs: number, toMs: number): number {
    let longest = 0;
    let since: number | undefined;
    for (const [index, call] of this.answered.entries()) {
      const before = this.answered[index - 1];
      if (before === undefined || call.toMs - before.toMs > LONGEST_GAP_MS) since = call.fromMs;
      const start = Math.max(since ?? call.fromMs, fromMs);
      longest = Math.max(longest, Math.min(call.toMs, toMs) - start);
    }
    return longest;
  }

  note(text: string): void {
    this.notes.push({ atMs: monotonicMs(), text });
  }

  /** From now until the returned function is called, losing the lock is no fault of the helper. */
  excuse(reason: string): () => void {
    const excuse: Excuse = { reason, fromMs: monotonicMs(), toMs: undefined };
    this.excuses.push(excuse);
    return () => {
      excuse.toMs ??= monotonicMs();
    };
  }

  /** Takes a change down. Gives the key that has ended by it, unless that was known. */
  keyChanged(change: KeyChange): KeyLife | undefined {
    const known = this.keys.get(change.key);
    if (change.kind === 'put') {
      if (known !== undefined) return undefined;
      this.keys.set(change.key, {
        key: change.key,
        value: change.value,
        createdAtMs: change.atMs,
        deletedAtMs: undefined,
      });
    } else if (known !== undefined && known.deletedAtMs === undefined) {
      known.deletedAtMs = change.atMs;
      return known;
    }
    return undefined;
  }

  /** The claim that is open now; the youngest, should there be several. */
  get openClaim(): Claim | undefined {
    return this.claims.findLast((claim) => claim.toMs === undefined);
  }

  /** All of it as text, one event per line, seconds from the start. */
  toText(): string {
    const events = [
      ...this.notes,
      ...this.claims.map((claim) => ({
        atMs: claim.fromMs,
        text: `${claim.node} CLAIMS (helper ${claim.helper})`,
      })),
      ...this.claims.flatMap((claim) =>
        claim.toMs === undefined
          ? []
          : [{ atMs: claim.toMs, text: `${claim.node} claim ends (${claim.deed ?? 'by itself'})` }],
      ),
      ...this.attempts.map((attempt) => ({
        atMs: attempt.startedAtMs,
        text: `${attempt.node} ${attempt.purpose} ${attempt.helper} -> ${attempt.answer ?? 'no answer'} after ${Math.round((attempt.answeredAtMs ?? NaN) - attempt.startedAtMs)} ms, ${Math.round(attempt.waitedMs)} of them without a processor`,
      })),
      ...[...this.keys.values()].flatMap((life) => [
        { atMs: life.createdAtMs, text: `etcd: ${life.key} put: ${life.value}` },
        ...(life.deletedAtMs === undefined
          ? []
          : [{ atMs: life.deletedAtMs, text: `etcd: ${life.key} deleted` }]),
      ]),
      ...this.excuses.flatMap((excuse) => [
        { atMs: excuse.fromMs, text: `excused from here: ${excuse.reason}` },
        ...(excuse.toMs === undefined
          ? []
          : [{ atMs: excuse.toMs, text: `excused no more: ${excuse.reason}` }]),
      ]),
    ].sort((a, b) => a.atMs - b.atMs);
    const lines = events.map(
      ({ atMs, text }) => `${((atMs - this.startedAtMs) / 1000).toFixed(3).padStart(9)} ${text}`,
    );
    const said = this.stderr.map(({ helper, text }) => `--- stderr of ${helper}\n${text}`);
    return [...lines, ...said, ''].join('\n');
  }
}
