/**
 * The training run: the bundle takes, holds and releases the lock of a small etcd, and meets a lock that is held, so that
 * V8's code cache has every function that a start needs, and no other.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BASE } from './base.ts';
import { startFakeEtcd, type FakeEtcd } from './fake-etcd.ts';
import { RUNTIME_FLAGS } from './flags.ts';
import { fail, kilobytes, say } from './report.ts';

const CHILD = join(import.meta.dirname, 'train-child.cjs');
// Two renewals show the way that all later ones go.
const RENEWALS = 2;
const RUNS_MOST = 8;
// The runtime of another machine runs under qemu, where a start takes a good part of the time that the helper has to answer.
const IS_EMULATED = process.env['BUILD_ARCH'] !== undefined;
// Many times what the whole run takes on a busy machine.
const LIMIT_MS = IS_EMULATED ? 300_000 : 60_000;
const ATTEMPTS = IS_EMULATED ? 40 : 12;
// Once it holds the lock, a slow renewal must not end it.
const TTL_S = IS_EMULATED ? 60 : 5;

interface Run {
  /** The first byte on stdout. */
  readonly answer: Promise<string>;
  /** Sends SIGTERM, when the program has not ended by itself; resolves once it has ended. */
  end(): Promise<void>;
}

function start(program: string, cacheIn: string, cacheOut: string, ctdbBase: string): Run {
  // The seed makes the cache the same each time; V8 does not bind the cache to it. The program has no arguments, as when
  // CTDB runs it.
  const args = [...RUNTIME_FLAGS, '--random-seed=1', CHILD, program, cacheIn, cacheOut];
  const signal = AbortSignal.timeout(LIMIT_MS);
  const child = spawn(BASE.file, args, {
    env: { PATH: '/nonexistent', CTDB_BASE: ctdbBase },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<number | null>((resolve) => {
    child.on('error', (error) => {
      stderr += error.message;
    });
    child.on('close', resolve);
  });
  const answer = Promise.race([
    once(child.stdout, 'data').then(([chunk]) => String(chunk)),
    ended.then((code) => `nothing, exit status ${String(code)}`),
  ]);
  return {
    answer,
    async end() {
      child.kill('SIGTERM');
      await ended;
      if (stderr !== '') fail(`The training run complains: ${stderr.trim().slice(-1_000)}`);
    },
  };
}

/**
 * A run that answers `wanted`. On a busy machine it can be too slow for the helper's own limits; then it is tried again, from
 * the beginning, so that the cache is the same however often it took.
 */
async function startUntil(wanted: string, ...args: Parameters<typeof start>): Promise<Run> {
  for (let attempt = 1; attempt < ATTEMPTS; attempt += 1) {
    const run = start(...args);
    if ((await run.answer) === wanted) return run;
    await run.end().catch(() => undefined);
  }
  const run = start(...args);
  await expectAnswer(run, wanted);
  return run;
}

async function expectAnswer(run: Run, wanted: string): Promise<void> {
  const answer = await run.answer;
  if (answer === wanted) return;
  await run.end();
  fail(`The training run answers ${answer}, want ${wanted}`);
}

async function renewals({ store }: FakeEtcd): Promise<void> {
  const enough = store.keepAlives + RENEWALS;
  const limit = AbortSignal.timeout(LIMIT_MS);
  while (store.keepAlives < enough) {
    if (limit.aborted) fail(`The training run renewed its lease ${store.keepAlives} times, want ${enough}`);
    await delay(20);
  }
}

/**
 * Runs until two runs have written the same: on a busy machine a timer fires here or there that otherwise does not, its
 * functions get into the cache, and the build would not be the same again.
 */
async function untilRepeated(file: string, run: () => Promise<void>): Promise<void> {
  const seen = new Set<string>();
  for (let runs = 1; runs <= RUNS_MOST; runs += 1) {
    await run();
    const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
    if (seen.has(hash)) return;
    seen.add(hash);
  }
  say(
    `The machine is too busy to build the same bytes again: ${RUNS_MOST} training runs gave ${seen.size} code caches`,
  );
}

/** Writes the code cache of `program`, and beside it the list of the runtime's modules that it loads. */
export async function train(program: string, cacheFile: string): Promise<void> {
  const etcd = await startFakeEtcd();
  try {
    const ctdbBase = `${cacheFile}.base`;
    mkdirSync(ctdbBase);
    const settings = [
      `hosts = 127.0.0.1:${etcd.port}`,
      'netbios_name = TRAINING',
      'refresh = 1',
      `lock_ttl = ${TTL_S}`,
    ];
    writeFileSync(join(ctdbBase, 'etcd'), `${settings.join('\n')}\n`);

    const held = `${cacheFile}.held`;
    await untilRepeated(held, async () => {
      const holder = await startUntil('0', program, '', held, ctdbBase);
      await renewals(etcd);
      await holder.end();
      if (etcd.store.keys.size !== 0) fail('The training run left its key behind');
    });

    const contended = `${cacheFile}.contended`;
    const holder = await startUntil('0', program, '', `${cacheFile}.unused`, ctdbBase);
    await untilRepeated(contended, async () => {
      const contender = await startUntil('1', program, held, contended, ctdbBase);
      await contender.end();
    });
    await holder.end();
    copyFileSync(contended, cacheFile);
  } finally {
    etcd.stop();
  }
  say(
    `Code cache: ${kilobytes(readFileSync(cacheFile).length)}, trained by a take, ${RENEWALS} renewals, a release and a contention`,
  );
}
