import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Results } from './results.ts';
import type { Verdict } from './targets.ts';

/** What is kept of each published run: how near it came to each target. */
export interface Run {
  readonly startedAt: string;
  readonly machine: string;
  readonly rounds: number;
  readonly holdMinutes: number;
  /** What was found, as text with its unit, by the target's name. */
  readonly found: Readonly<Record<string, string>>;
}

// More would only make the range older than the program.
const MOST_RUNS = 6;

/** Adds a run to those in `file`, the newest last, and returns them all. */
export function addRun(
  file: string,
  added: { readonly results: Results; readonly verdicts: readonly Verdict[] } | undefined,
): Run[] {
  const runs = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Run[]) : [];
  if (added === undefined) return runs;
  const { startedAt, machine, rounds, holdMinutes } = added.results;
  const found = Object.fromEntries(added.verdicts.map((verdict) => [verdict.name, verdict.found]));
  const all = [...runs, { startedAt, machine, rounds, holdMinutes, found }].slice(-MOST_RUNS);
  writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
  return all;
}
