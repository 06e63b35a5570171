import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Weather } from '../../fault/weather.ts';
import { monotonicMs } from '../../support/mutex-parent.ts';

/** A world of which only the network is asked; `cut` holds pairs such as `n1>m1`. */
function worldOf(cut: ReadonlySet<string>): ConstructorParameters<typeof Weather>[0] {
  return {
    nodes: [{ host: 'n1' }, { host: 'n2' }, { host: 'n3' }],
    network: { reaches: (from: string, to: string) => !cut.has(`${from}>${to}`) },
  };
}

/** The span of 100 ms that begins now. Its length is `to - from`, which rounding can make a little more or less than 100. */
function nextTenth(): [fromMs: number, toMs: number] {
  const fromMs = monotonicMs();
  return [fromMs, fromMs + 100];
}

it('a node is fine while one member of a majority is within its reach', () => {
  const cut = new Set<string>();
  const weather = new Weather(worldOf(cut));
  const fromMs = monotonicMs();
  for (const pair of ['n1>m1', 'm2>n1']) cut.add(pair);
  weather.look();
  assert.ok(weather.wasFine('n1', fromMs, monotonicMs()));
  cut.add('n1>m3');
  weather.look();
  const [alsoMs, untilMs] = nextTenth();
  assert.equal(weather.longestFineMs('n1', alsoMs, untilMs), 0);
  assert.equal(weather.longestFineMs('n2', alsoMs, untilMs), untilMs - alsoMs);
});

it('a member that is cut off from its peers is of no use', () => {
  const cut = new Set(['m1>m2', 'm1>m3', 'n1>m2', 'n1>m3']);
  const weather = new Weather(worldOf(cut));
  const [nowMs, untilMs] = nextTenth();
  assert.equal(weather.longestFineMs('n1', nowMs, untilMs), 0);
  assert.equal(weather.longestFineMs('n2', nowMs, untilMs), untilMs - nowMs);
});

it('the time for an election after a member came or went is foul for all', () => {
  const weather = new Weather(worldOf(new Set()));
  assert.ok(weather.isCalm);
  weather.member('m1', 1);
  const nowMs = monotonicMs();
  assert.equal(weather.longestFineMs('n1', nowMs, nowMs + 3_000), 0);
  assert.ok(Math.abs(weather.longestFineMs('n1', nowMs, nowMs + 6_000) - 2_000) < 50);
  assert.ok(!weather.isCalm);
});

it('what happened during an election is not forgotten when it is over before the next look', async () => {
  const weather = new Weather(worldOf(new Set()));
  weather.member(undefined, 0);
  weather.node('n1', 1);
  const frozenMs = monotonicMs();
  await delay(20);
  weather.node('n1', -1);
  assert.equal(weather.longestFineMs('n1', frozenMs, frozenMs + 20), 0);
});
