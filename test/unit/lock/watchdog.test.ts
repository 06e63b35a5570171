import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { settle } from '../../support/fake-clock.ts';
import { makeWatchdog, type Watchdog } from '../../../src/lock/watchdog.ts';

interface Scene {
  readonly watchdog: Watchdog;
  readonly lines: string[];
  readonly warnings: string[];
  /** For each watchdog process that was started, the way to end it. */
  readonly ends: ((reason: string, hasRun: boolean) => void)[];
  readonly closed: () => number;
  nowMs: number;
  isStopped: boolean;
  /** What the question before a further start is answered with. */
  whyNot: Promise<string | undefined>;
  /** How often that was asked. */
  questions: number;
}

function scene(uptimeAheadMs = 5_000): Scene {
  const lines: string[] = [];
  const warnings: string[] = [];
  const ends: ((reason: string, hasRun: boolean) => void)[] = [];
  let closed = 0;
  const made: Scene = {
    lines,
    warnings,
    ends,
    closed: () => closed,
    nowMs: 100_000,
    isStopped: false,
    whyNot: Promise.resolve(undefined),
    questions: 0,
    watchdog: makeWatchdog(
      {
        spawn: (line, onEnd) => {
          ends.push(onEnd);
          if (line !== undefined) lines.push(`at the start: ${line}`);
          return {
            write: (line) => void lines.push(line),
            wake: () => void lines.push('wake'),
            isStopped: () => made.isStopped,
            end: () => {
              closed += 1;
            },
          };
        },
        whyNot: () => {
          made.questions += 1;
          return made.whyNot;
        },
      },
      { now: () => made.nowMs, uptimeOf: (atMs) => atMs + uptimeAheadMs },
      (_, message) => void warnings.push(message),
    ),
  };
  return made;
}

void describe('the watchdog', () => {
  void it('is told an instant of uptime, in hundredths of a second', () => {
    const { watchdog, lines } = scene();
    watchdog.feed(107_700);
    assert.deepEqual(lines, ['11270\n']);
  });

  void it('wakes its process for an earlier instant, and only for that', () => {
    const { watchdog, lines } = scene();
    for (const untilMs of [107_700, 107_700, 109_700, 103_200, 111_000]) watchdog.feed(untilMs);
    assert.deepEqual(lines, ['11270\n', '11270\n', '11470\n', '10820\n', 'wake', '11600\n']);
  });

  void it('is told 0 rather than an instant before the machine started', () => {
    const { watchdog, lines } = scene();
    watchdog.feed(-1_000_000);
    assert.deepEqual(lines, ['0\n']);
  });

  void it('has one process, which is ended with the claim, without a warning', () => {
    const { watchdog, ends, closed, warnings } = scene();
    watchdog.start();
    watchdog.start();
    watchdog.feed(107_700);
    watchdog.release();
    ends[0]?.('it ended with status 0', true);
    assert.deepEqual([ends.length, closed(), warnings], [1, 1, []]);
    watchdog.feed(108_000);
    assert.equal(ends.length, 1, 'starts none after the release');
  });

  void it('says once that nobody watches, and starts another process a minute later', async () => {
    const each = scene();
    each.watchdog.start();
    each.ends[0]?.('spawn /bin/bash ENOENT', false);
    assert.match(each.warnings.join(), /^No watchdog \(spawn \/bin\/bash ENOENT\): .*watchdog = no/);
    each.watchdog.feed(107_700);
    assert.deepEqual([each.ends.length, each.lines], [1, []]);
    each.nowMs += 60_000;
    each.watchdog.feed(167_700);
    await settle();
    assert.deepEqual([each.ends.length, each.lines], [2, ['at the start: 17270']]);
    each.ends[1]?.('spawn /bin/bash ENOENT', false);
    assert.equal(each.warnings.length, 1);
  });

  void it('is started again at once when it was ended, and after that once a minute', async () => {
    const each = scene();
    each.watchdog.feed(107_700);
    each.ends[0]?.('it was ended by SIGKILL', true);
    await settle();
    assert.deepEqual(
      [each.ends.length, each.lines],
      [2, ['11270\n', 'at the start: 11270']],
      'told without a renewal',
    );
    assert.deepEqual(each.warnings, ['The watchdog is started again (it was ended by SIGKILL)']);
    each.nowMs += 1_000;
    each.ends[1]?.('it was ended by SIGKILL', true);
    each.watchdog.feed(108_700);
    await settle();
    assert.equal(each.ends.length, 2);
    assert.match(each.warnings.slice(1).join(), /^No watchdog \(it was ended by SIGKILL\): /);
    each.nowMs += 60_000;
    each.watchdog.feed(168_700);
    await settle();
    each.ends[2]?.('it was ended by SIGKILL', true);
    assert.deepEqual([each.ends.length, each.warnings.length], [3, 2]);
  });

  void it('that ends during the take is started again with the first line', async () => {
    const each = scene();
    each.watchdog.start();
    each.ends[0]?.('it was ended by SIGKILL', true);
    await settle();
    assert.equal(each.ends.length, 1);
    each.watchdog.feed(107_700);
    await settle();
    assert.deepEqual([each.ends.length, each.lines], [2, ['at the start: 11270']]);
  });

  void it('is not started again, nor asked about again, when the file system of bash hangs', async () => {
    const each = scene();
    each.watchdog.start();
    each.ends[0]?.('it was ended by SIGKILL', true);
    each.whyNot = Promise.resolve('/bin/bash: its file system hangs');
    for (const nowMs of [160_000, 220_000, 280_000]) {
      each.nowMs = nowMs;
      each.watchdog.feed(nowMs + 7_700);
      await settle();
    }
    assert.deepEqual([each.ends.length, each.questions, each.lines], [1, 1, []]);
  });

  void it('has no second process while the question before its start has no answer, or after the release', async () => {
    const each = scene();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    each.watchdog.start();
    each.ends[0]?.('it was ended by SIGKILL', true);
    each.whyNot = promise;
    for (const nowMs of [160_000, 162_000]) {
      each.nowMs = nowMs;
      each.watchdog.feed(nowMs + 7_700);
    }
    assert.deepEqual([each.ends.length, each.questions], [1, 1]);
    each.watchdog.release();
    resolve(undefined);
    await settle();
    assert.equal(each.ends.length, 1);
  });

  void it('that cannot be started at all costs one warning and nothing else', async () => {
    const warnings: string[] = [];
    let [tries, nowMs] = [0, 0];
    const watchdog = makeWatchdog(
      {
        spawn: () => {
          tries += 1;
          throw new Error('spawn ENOMEM');
        },
        whyNot: () => Promise.resolve(undefined),
      },
      { now: () => nowMs, uptimeOf: (atMs) => atMs },
      (_, message) => void warnings.push(message),
    );
    watchdog.start();
    watchdog.feed(7_700);
    nowMs = 60_000;
    watchdog.feed(67_700);
    await settle();
    watchdog.release();
    assert.deepEqual([tries, warnings.length], [2, 1]);
    assert.match(warnings.join(), /^No watchdog \(spawn ENOMEM\): /);
  });

  void it('is told how long it has, and woken for each line, where there is no uptime', () => {
    const each = scene(NaN);
    each.watchdog.feed(107_700);
    each.nowMs += 2_000;
    each.watchdog.feed(109_700);
    assert.deepEqual(each.lines, ['+770\n', 'wake', '+770\n', 'wake']);
    each.watchdog.feed(101_000);
    assert.deepEqual(each.lines.slice(4), ['+0\n', 'wake']);
    assert.deepEqual(each.warnings, []);
  });

  void it('says once that it is stopped', () => {
    const each = scene();
    each.isStopped = true;
    each.watchdog.feed(107_700);
    each.watchdog.feed(109_700);
    assert.equal(each.warnings.length, 1);
    assert.match(each.warnings.join(), /^The watchdog is stopped: .*kill -CONT/);
  });
});
