import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judge, type Times, type Verdict } from '../../fault/checker.ts';
import { type Attempt, type Claim, type Deed, History } from '../../fault/history.ts';

const TIMES: Times = { windowMs: 7_500, refreshMs: 2_000 };
const NOW_MS = 100_000;

const claim = (node: string, fromMs: number, toMs: number | undefined, deed?: Deed): Claim => ({
  node,
  helper: `${node}/${fromMs}`,
  fromMs,
  toMs,
  deed,
  deedAtMs: toMs,
});

const attempt = (startedAtMs: number, answer: string, tookMs = 100): Attempt => ({
  node: 'n1',
  helper: `n1/${startedAtMs}`,
  purpose: 'take',
  startedAtMs,
  answeredAtMs: startedAtMs + tookMs,
  answer,
  waitedMs: 0,
});

/** A history in which etcd answered all the time, except between the two instants. */
function historyOf(
  claims: readonly Claim[],
  attempts: readonly Attempt[] = [],
  silentFromMs = Infinity,
  silentToMs = Infinity,
): History {
  const history = new History();
  history.claims.push(...claims);
  history.attempts.push(...attempts);
  for (let atMs = 0; atMs < NOW_MS; atMs += 200) {
    if (atMs < silentFromMs || atMs > silentToMs) history.answered.push({ fromMs: atMs, toMs: atMs + 5 });
  }
  return history;
}

const verdictOf = (history: History): Verdict => judge(history, NOW_MS, TIMES);

describe('the checker of the fault runs', () => {
  it('finds claims that overlap, also when they are far apart in the list', () => {
    const { overlaps } = verdictOf(
      historyOf([
        claim('n1', 0, 9_000, 'stopped'),
        claim('n2', 1_000, 2_000, 'terminated'),
        claim('n3', 8_990, 9_500, 'terminated'),
      ]),
    );
    assert.deepEqual(
      overlaps.map(({ first, second, forMs }) => [first, second, forMs]),
      [
        ['n1/0', 'n2/1000', 1_000],
        ['n1/0', 'n3/8990', 10],
      ],
    );
  });

  it('counts a claim that never ended as one that lasts', () => {
    const { overlaps } = verdictOf(
      historyOf([claim('n1', 0, undefined), claim('n2', 50_000, 60_000, 'terminated')]),
    );
    assert.equal(overlaps[0]?.forMs, 10_000);
  });

  it('finds no overlap where one claim ends as the next begins', () => {
    const { overlaps } = verdictOf(
      historyOf([claim('n1', 0, 5_000, 'terminated'), claim('n2', 5_000, 6_000, 'terminated')]),
    );
    assert.deepEqual(overlaps, []);
  });

  it('calls a loss needless when nothing was done to the holder and etcd answered', () => {
    const { needlessLosses, outageLosses } = verdictOf(historyOf([claim('n1', 0, 20_000)]));
    assert.deepEqual([needlessLosses.length, outageLosses.length], [1, 0]);
  });

  it('sets a loss apart when etcd answered nobody', () => {
    const { needlessLosses, outageLosses } = verdictOf(
      historyOf([claim('n1', 0, 20_000)], [], 13_000, 20_000),
    );
    assert.deepEqual([needlessLosses.length, outageLosses.length], [0, 1]);
  });

  it('does not set a loss apart for a silence that left time to renew', () => {
    const { needlessLosses } = verdictOf(historyOf([claim('n1', 0, 20_000)], [], 17_500, 19_500));
    assert.equal(needlessLosses.length, 1);
  });

  it('excuses what a scenario excused, and nothing after that', () => {
    const history = historyOf([claim('n1', 0, 20_000), claim('n2', 21_000, 30_000)]);
    history.excuses.push({ reason: 'cut off', fromMs: 15_000, toMs: 25_000 });
    assert.deepEqual(verdictOf(history).needlessLosses.length, 1);
  });

  it('measures take-overs from the end of the claim, and from the next attempt', () => {
    const { takeOvers } = verdictOf(
      historyOf(
        [claim('n1', 0, 10_000, 'killed'), claim('n1', 18_300, 30_000, 'terminated')],
        [attempt(9_000, '1'), attempt(13_000, '1'), attempt(18_200, '0')],
      ),
    );
    assert.deepEqual(takeOvers, [
      { after: 'killed', ms: 8_300, fromNextAttemptMs: 5_300, waitedMs: 0, excused: false },
    ]);
  });

  it('complains of errors and of silence while etcd was fine, and of late answers', () => {
    const { problems } = verdictOf(
      historyOf([], [attempt(0, '1'), attempt(1_000, '3'), attempt(2_000, ''), attempt(3_000, '1', 5_100)]),
    );
    assert.equal(problems.length, 3);
  });

  it('measures the least time from the end of a claim that nobody ended to the end of its key', () => {
    const slackOf = (toMs: number): Verdict => {
      const history = historyOf([claim('n1', 0, toMs)]);
      history.stderr.push({ helper: 'n1/0', text: 'Took lock /d/2, create revision 5\n' });
      for (const [key, deletedAtMs] of [
        ['/d/1', 90],
        ['/d/2', 20_000],
      ] as const)
        history.keys.set(key, { key, value: '"node":"n1"', createdAtMs: 0, deletedAtMs });
      return verdictOf(history);
    };
    assert.deepEqual([slackOf(18_500).smallestSlackMs, slackOf(18_500).problems], [1_500, []]);
    assert.deepEqual(slackOf(20_010).problems, ['a claim ended 10 ms after its key']);
  });

  it('sets apart what a helper did for which no processor was free, but no overlap and no loss', () => {
    const starved = { ...attempt(1_000, '3', 5_100), waitedMs: 1_100 };
    const busy = { ...attempt(2_000, '3'), waitedMs: 900 };
    const claims = [claim('n1', 3_000, 20_000), claim('n2', 19_000, 21_000, 'terminated')];
    const verdict = verdictOf(historyOf(claims, [starved, busy]));
    assert.deepEqual([verdict.problems.length, verdict.starved.length], [1, 2]);
    assert.deepEqual([verdict.overlaps.length, verdict.needlessLosses.length], [1, 1]);
  });

  it('does not complain of helpers that the run killed before they answered', () => {
    const history = historyOf([], [attempt(0, '')]);
    history.deadHelpers.add('n1/0');
    assert.deepEqual(verdictOf(history).problems, []);
  });
});
