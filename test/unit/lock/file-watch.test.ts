import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FileWatch, LOOK_MS, SECOND_LOOK_MS } from '../../../src/lock/file-watch.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const OVER = 'warn-files: The files of TLS and of the login can be used again';

/** Files that a test changes and spoils; they hang while `hangs` is set. */
function stage(areAny = true) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const state = { stamps: '1', problem: '', hangs: false, looks: 0, reads: 0 };
  const files = {
    areAny,
    stampsNow: () => state.stamps,
    stamps: (): Promise<string> => {
      state.looks += 1;
      return state.hangs ? new Promise(() => undefined) : Promise.resolve(state.stamps);
    },
    problem: () => {
      state.reads += 1;
      return state.problem === '' ? undefined : { id: 'warn-files', text: state.problem };
    },
  };
  const watch = new FileWatch(files, {
    clock,
    log: { warning: (id, text) => lines.push(`${id}: ${text}`) },
  });
  return {
    clock,
    lines,
    state,
    watch,
    change: (stamps: string, problem = ''): void => {
      Object.assign(state, { stamps, problem });
    },
    looks: (count: number): Promise<void> => clock.advance(count * LOOK_MS + SECOND_LOOK_MS),
  };
}

test('files that stay as they are are never read, and nothing is said', async () => {
  const { watch, looks, state, lines, clock } = stage();
  const stop = watch.start();
  await looks(10);
  stop();
  assert.deepEqual([state.looks, state.reads, lines, clock.pending], [10, 0, [], 0]);
});

test('changed files that can be used are read once, and nothing is said', async () => {
  const { watch, looks, state, lines, change } = stage();
  watch.start();
  change('2');
  await looks(10);
  assert.deepEqual([state.reads, lines], [1, []]);
});

test('changed files that cannot be used are said once, however long it lasts, and once when it is over', async () => {
  const { watch, looks, lines, change } = stage();
  watch.start();
  change('2', 'no pair');
  await looks(20);
  assert.deepEqual(lines, ['warn-files: no pair']);
  change('3');
  await looks(20);
  assert.deepEqual(lines, ['warn-files: no pair', OVER]);
  change('4', 'gone');
  await looks(2);
  assert.deepEqual(lines, ['warn-files: no pair', OVER, 'warn-files: gone']);
});

test('files that are put back as they were are said as well', async () => {
  const { watch, looks, lines, change } = stage();
  watch.start();
  change('2', 'no pair');
  await looks(2);
  change('1');
  await looks(2);
  assert.deepEqual(lines, ['warn-files: no pair', OVER]);
});

test('a certificate whose key follows within the second look is no reason to say anything', async () => {
  const { watch, looks, clock, lines, change } = stage();
  watch.start();
  change('2', 'no pair');
  await clock.advance(LOOK_MS + SECOND_LOOK_MS / 2);
  change('3');
  await looks(5);
  assert.deepEqual(lines, []);
});

test('a change between the start and the hold is seen', async () => {
  const { watch, looks, lines, change } = stage();
  change('2', 'no pair');
  watch.start();
  await looks(2);
  assert.deepEqual(lines, ['warn-files: no pair']);
});

test('a file system that hangs is asked once, and says nothing after the stop', async () => {
  const { watch, looks, state, lines, change } = stage();
  const stop = watch.start();
  state.hangs = true;
  change('2', 'no pair');
  await looks(10);
  assert.deepEqual([state.looks, state.reads], [1, 0]);
  stop();
  assert.deepEqual(lines, []);
});

test('without files nothing is looked at', () => {
  const { watch, clock } = stage(false);
  watch.start();
  assert.equal(clock.pending, 0);
});
