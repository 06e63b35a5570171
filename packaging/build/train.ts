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
import { startFakeEtcd, type FakeEtcd } from './fake-etcd.ts';
import { RUNTIME_FLAGS } from './flags.ts';
import { fail, kilobytes, say } from './report.ts';

const CHILD = join(import.meta.dirname, 'train-child.cjs');
// Two renewals show the way that all later ones go.
const RENEWALS = 2;
const RUNS_MOST = 8;
// From the last renewal until the request to end: the renewal is over by then, and the next one is not due.
const SETTLE_MS = 1_000;
// Many times what one run takes on a busy machine, or under qemu.
const LIMIT_MS = 300_000;

interface Run {
  /** The first byte on stdout. */
  readonly answer: Promise<string>;
  /** Sends SIGTERM, when the program has not ended by itself; resolves once it has ended. */
  end(): Promise<void>;
}

function start(base: string, program: string, cacheIn: string, cacheOut: string, ctdbBase: string): Run {
  // The seed makes the cache the same each time; V8 does not bind the cache to it. The program has no arguments, as when
  // CTDB runs it.
  const args = [...RUNTIME_FLAGS, '--random-seed=1', CHILD, program, cacheIn, cacheOut];
  const signal = AbortSignal.timeout(LIMIT_MS);
  const child = spawn(base, args, {
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
  await delay(SETTLE_MS);
}

/**
 * Runs until two runs have written the same. The cache has the functions that were called, in the order of their first
 * call, so it depends on the order of events. The program's slow time (train-child.cjs) and the late answers of the etcd
 * fix that order. This tells when they do not.
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
    `The next build will not give the same bytes: ${RUNS_MOST} training runs gave ${seen.size} code caches`,
  );
}

/** Writes the code cache of `program` on `base`, and beside it the list of the runtime's modules that it loads. */
export async function train(base: string, program: string, cacheFile: string): Promise<void> {
  const etcd = await startFakeEtcd();
  try {
    const ctdbBase = `${cacheFile}.base`;
    mkdirSync(ctdbBase);
    const settings = [
      `hosts = 127.0.0.1:${etcd.port}`,
      'netbios_name = TRAINING',
      // By the program's slow time, and long enough for the look at the parent in between.
      'refresh = 0.7',
      'lock_ttl = 60',
    ];
    writeFileSync(join(ctdbBase, 'etcd'), `${settings.join('\n')}\n`);

    const held = `${cacheFile}.held`;
    await untilRepeated(held, async () => {
      const holder = start(base, program, '', held, ctdbBase);
      await expectAnswer(holder, '0');
      await renewals(etcd);
      await holder.end();
      if (etcd.store.keys.size !== 0) fail('The training run left its key behind');
    });

    const contended = `${cacheFile}.contended`;
    const holder = start(base, program, '', `${cacheFile}.unused`, ctdbBase);
    await expectAnswer(holder, '0');
    await untilRepeated(contended, async () => {
      const contender = start(base, program, held, contended, ctdbBase);
      await expectAnswer(contender, '1');
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
