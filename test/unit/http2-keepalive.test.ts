import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepAlive, type KeepaliveOptions } from '../../src/http2-keepalive.ts';
import type { Http2Session } from '../../src/http2-session.ts';
import { FakeClock } from '../support/fake-clock.ts';

const OPTIONS: KeepaliveOptions = { timeMs: 10_000, timeoutMs: 3_000, isForIdle: false };

/** A connection with one stream open, unless told otherwise, and what became of it: `ping` and `dead`, with their times. */
class Stage {
  readonly clock = new FakeClock();
  readonly said: string[] = [];
  readonly stop: () => void;
  readonly session = { readBytes: 0, hasStreams: true };
  readonly #startMs = this.clock.now();
  /** What a ping leads to. */
  onPing: () => void = () => undefined;

  constructor(options: Partial<KeepaliveOptions> = {}) {
    const session = Object.assign(this.session, {
      ping: () => {
        this.#say('ping');
        this.onPing();
      },
    });
    this.stop = keepAlive(session as unknown as Http2Session, this.clock, { ...OPTIONS, ...options }, () => {
      this.#say('dead');
    });
  }

  hear(): void {
    this.session.readBytes += 17;
  }

  #say(what: string): void {
    this.said.push(`${what} at ${this.clock.now() - this.#startMs}`);
  }
}

test('a connection that is silent is pinged, and dead when that is not answered', async () => {
  const stage = new Stage();
  await stage.clock.advance(9_999);
  assert.deepEqual(stage.said, []);
  await stage.clock.advance(1);
  assert.deepEqual(stage.said, ['ping at 10000']);
  await stage.clock.advance(60_000);
  // A little more than the 3 s: see the second look.
  assert.deepEqual(stage.said, ['ping at 10000', 'dead at 13100']);
  assert.equal(stage.clock.pending, 0);
});

test('a ping that is answered is followed by the next after the same silence', async () => {
  const stage = new Stage();
  stage.onPing = () => {
    stage.clock.at(stage.clock.now() + 5, () => {
      stage.hear();
    });
  };
  await stage.clock.advance(40_000);
  assert.deepEqual(stage.said, ['ping at 10000', 'ping at 23000', 'ping at 36000']);
  stage.onPing = () => undefined;
  await stage.clock.advance(20_000);
  assert.deepEqual(stage.said.slice(3), ['ping at 49000', 'dead at 52100']);
});

test('a connection on which anything comes is not pinged', async () => {
  const stage = new Stage();
  for (let second = 0; second < 100; second += 9) {
    stage.hear();
    await stage.clock.advance(9_000);
  }
  assert.deepEqual(stage.said, []);
});

test('a connection that falls silent is pinged after that much silence, or half as much again', async () => {
  const stage = new Stage();
  await stage.clock.advance(5_001);
  stage.hear();
  await stage.clock.advance(60_000);
  assert.deepEqual(stage.said, ['ping at 20000', 'dead at 23100']);
});

test('what comes, whatever it is, is an answer to a ping', async () => {
  const stage = new Stage();
  await stage.clock.advance(12_999);
  stage.hear();
  await stage.clock.advance(9_000);
  assert.deepEqual(stage.said, ['ping at 10000']);
});

test('a connection without streams is not pinged: members count that as an attack', async () => {
  const stage = new Stage();
  stage.session.hasStreams = false;
  await stage.clock.advance(100_000);
  assert.deepEqual(stage.said, []);
  stage.session.hasStreams = true;
  await stage.clock.advance(10_000);
  assert.deepEqual(stage.said, ['ping at 110000']);
});

test('a connection without streams is pinged when that is configured', async () => {
  const stage = new Stage({ isForIdle: true });
  stage.session.hasStreams = false;
  await stage.clock.advance(14_000);
  assert.deepEqual(stage.said, ['ping at 10000', 'dead at 13100']);
});

test('an answer that came while we were frozen counts, though the timer is looked at first', async () => {
  const stage = new Stage();
  await stage.clock.advance(10_000);
  // All of it passes while nothing of ours runs; the socket is read after the timer.
  await stage.clock.stall(60_000);
  assert.deepEqual(stage.said, ['ping at 10000']);
  stage.hear();
  await stage.clock.advance(9_000);
  assert.deepEqual(stage.said, ['ping at 10000']);
});

test('a freeze does not make a dead connection live', async () => {
  const stage = new Stage();
  await stage.clock.advance(10_000);
  await stage.clock.stall(60_000);
  await stage.clock.advance(100);
  assert.deepEqual(stage.said, ['ping at 10000', 'dead at 70100']);
});

for (const [when, ms] of [
  ['before a ping', 5_000],
  ['behind a ping', 11_000],
  ['before the second look', 13_050],
] as const) {
  test(`nothing comes after the end ${when}`, async () => {
    const stage = new Stage();
    await stage.clock.advance(ms);
    const before = [...stage.said];
    stage.stop();
    stage.stop();
    assert.equal(stage.clock.pending, 0);
    await stage.clock.advance(100_000);
    assert.deepEqual(stage.said, before);
  });
}
