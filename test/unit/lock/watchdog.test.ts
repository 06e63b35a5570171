import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeSwitch, type DeadMansSwitch } from '../../../src/lock/watchdog.ts';

interface Scene {
  readonly deadMansSwitch: DeadMansSwitch;
  readonly lines: string[];
  readonly warnings: string[];
  /** For each companion that was started, the way to end it. */
  readonly ends: ((reason: string) => void)[];
  readonly closed: () => number;
  nowMs: number;
}

function scene(uptimeAheadMs = 5_000): Scene {
  const lines: string[] = [];
  const warnings: string[] = [];
  const ends: ((reason: string) => void)[] = [];
  let closed = 0;
  const made: Scene = {
    lines,
    warnings,
    ends,
    closed: () => closed,
    nowMs: 100_000,
    deadMansSwitch: makeSwitch(
      (onEnd) => {
        ends.push(onEnd);
        return {
          write: (line) => void lines.push(line),
          wake: () => void lines.push('wake'),
          end: () => {
            closed += 1;
          },
        };
      },
      { now: () => made.nowMs, uptimeOf: (atMs) => atMs + uptimeAheadMs },
      (message) => void warnings.push(message),
    ),
  };
  return made;
}

void describe("the dead man's switch", () => {
  void it('is told an instant of uptime, in hundredths of a second', () => {
    const { deadMansSwitch, lines } = scene();
    deadMansSwitch.feed(107_700);
    assert.deepEqual(lines, ['11270\n']);
  });

  void it('wakes its companion for an earlier instant, and only for that', () => {
    const { deadMansSwitch, lines } = scene();
    for (const untilMs of [107_700, 107_700, 109_700, 103_200, 111_000]) deadMansSwitch.feed(untilMs);
    assert.deepEqual(lines, ['11270\n', '11270\n', '11470\n', '10820\n', 'wake', '11600\n']);
  });

  void it('is told 0 rather than an instant before the machine started', () => {
    const { deadMansSwitch, lines } = scene();
    deadMansSwitch.feed(-1_000_000);
    assert.deepEqual(lines, ['0\n']);
  });

  void it('has one companion, which is ended with the claim, without a warning', () => {
    const { deadMansSwitch, ends, closed, warnings } = scene();
    deadMansSwitch.start();
    deadMansSwitch.start();
    deadMansSwitch.feed(107_700);
    deadMansSwitch.release();
    ends[0]?.('it ended with status 0');
    assert.deepEqual([ends.length, closed(), warnings], [1, 1, []]);
    deadMansSwitch.feed(108_000);
    assert.equal(ends.length, 1, 'starts none after the release');
  });

  void it('says once that nobody watches, and starts another companion a minute later', () => {
    const each = scene();
    each.deadMansSwitch.start();
    each.ends[0]?.('spawn /bin/bash ENOENT');
    assert.match(each.warnings.join(), /^No dead man's switch \(spawn \/bin\/bash ENOENT\): .*watchdog = no/);
    each.deadMansSwitch.feed(107_700);
    assert.deepEqual([each.ends.length, each.lines], [1, []]);
    each.nowMs += 60_000;
    each.deadMansSwitch.feed(167_700);
    assert.deepEqual([each.ends.length, each.lines.length], [2, 1]);
    each.ends[1]?.('it was ended by SIGKILL');
    assert.equal(each.warnings.length, 1);
  });

  void it('that cannot be started at all costs one warning and nothing else', () => {
    const warnings: string[] = [];
    let [tries, nowMs] = [0, 0];
    const deadMansSwitch = makeSwitch(
      () => {
        tries += 1;
        throw new Error('spawn ENOMEM');
      },
      { now: () => nowMs, uptimeOf: (atMs) => atMs },
      (message) => void warnings.push(message),
    );
    deadMansSwitch.start();
    deadMansSwitch.feed(7_700);
    nowMs = 60_000;
    deadMansSwitch.feed(67_700);
    deadMansSwitch.release();
    assert.deepEqual([tries, warnings.length], [2, 1]);
    assert.match(warnings.join(), /^No dead man's switch \(spawn ENOMEM\): /);
  });

  void it('says once when there is no uptime to reckon with', () => {
    const { deadMansSwitch, warnings, lines } = scene(NaN);
    deadMansSwitch.feed(107_700);
    deadMansSwitch.feed(109_700);
    assert.deepEqual([warnings.length, lines], [1, []]);
    assert.match(warnings.join(), /^No dead man's switch \(\/proc\/uptime cannot be read\): /);
  });
});
