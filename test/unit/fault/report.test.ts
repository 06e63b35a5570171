import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Outcome, ratesOf } from '../../fault/report.ts';
import type { Verdict } from '../../fault/checker.ts';

const VERDICT: Verdict = {
  overlaps: [],
  takeOvers: [],
  needlessLosses: [],
  outageLosses: [],
  earlyRevokes: [],
  problems: [],
  starved: [],
  claims: 1,
  attempts: 1,
  slowestAnswerMs: 100,
  smallestSlackMs: undefined,
};

function outcome(name: string, release: string, run: number, verdict: Partial<Verdict> = {}): Outcome {
  return {
    name,
    release,
    run,
    expectation: '',
    held: (verdict.overlaps ?? []).length === 0,
    problems: [],
    documentedOverlaps: [],
    verdict: { ...VERDICT, ...verdict },
    leftovers: [],
    figures: {},
    seconds: 1,
    log: '',
  };
}

test('the rates count runs, not events, for each scenario and release', () => {
  const overlap = { first: 'n1/h1', second: 'n2/h1', forMs: 10 };
  const rates = ratesOf([
    outcome('leader-frozen', '3.4.23', 1, { earlyRevokes: ['a', 'b'] }),
    outcome('leader-frozen', '3.5.30', 1, { overlaps: [overlap, overlap] }),
    outcome('leader-frozen', '3.4.23', 2),
    outcome('leader-frozen', '3.4.23', 3, { needlessLosses: ['c'], earlyRevokes: ['d'] }),
  ]);
  assert.deepEqual(
    rates.map(({ release, runs, endedByEtcd, overlaps, needlessLosses, notHeld }) => [
      release,
      ...[runs, endedByEtcd, overlaps, needlessLosses, notHeld],
    ]),
    [
      ['3.4.23', 3, 2, 0, 1, 0],
      ['3.5.30', 1, 0, 1, 0, 1],
    ],
  );
});
