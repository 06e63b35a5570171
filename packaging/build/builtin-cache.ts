/**
 * Node.js carries V8's code cache of its own modules, labelled with a hash of V8's options: V8 does not take it under
 * others, and compiles `http2`, `tls` and the rest anew at each start. The options that the helper is run with, `--jitless`
 * above all, change that hash but not one byte of the bytecode. The build proves that, and then writes the hash of the
 * helper's options into the labels.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { RUNTIME_FLAGS } from './flags.ts';
import { fail, say } from './report.ts';

// V8, src/snapshot/code-serializer.h, class SerializedCodeData: magic number, version hash, source hash, flag hash,
// checksum of the read-only snapshot, payload length, checksum of the payload (0: not used in release builds).
const FLAG_HASH_AT = 12;
const SNAPSHOT_AT = 16;
const LABEL_LENGTH = 20;

// Tables in the bytecode are in the order of their keys' hashes, which V8 mends when it loads a cache: each process has
// hashes of its own. What is compared must have the same ones.
const SAME_HASHES = '--no-rehash-snapshot';

// Node.js 24 has 388; the exact number is left to it.
const LABELS_LEAST = 300;

interface Label {
  /** Magic number and version hash. */
  readonly start: Buffer;
  readonly flagHash: Buffer;
  readonly snapshot: Buffer;
}

function run(base: string, flags: readonly string[], script: string, ...args: string[]): string {
  return execFileSync(base, [...flags, '-e', script, ...args], { encoding: 'utf8', env: {} }).trim();
}

/** The label of what V8 compiles under `flags`. */
function labelUnder(base: string, flags: readonly string[]): Label {
  const script = `console.log(new vm.Script('0').createCachedData().toString('hex', 0, ${LABEL_LENGTH}))`;
  const label = Buffer.from(run(base, flags, script), 'hex');
  return {
    start: label.subarray(0, 8),
    flagHash: label.subarray(FLAG_HASH_AT, SNAPSHOT_AT),
    snapshot: label.subarray(SNAPSHOT_AT),
  };
}

/** One hash over the bytecode of every function of every built-in module and of the program. */
function bytecodeHash(base: string, flags: readonly string[], program: string): string {
  const script = `
    const hash = crypto.createHash('sha256');
    const sources = { ...process.binding('natives'), program: fs.readFileSync(process.argv[1], 'latin1') };
    for (const [name, source] of Object.entries(sources)) {
      let script;
      try {
        script = new vm.Script('(async function(){' + source + '\\n})', { filename: name });
      } catch (error) {
        if (error instanceof SyntaxError) continue; // not JavaScript, or a module with imports
        throw error;
      }
      hash.update(name).update(script.createCachedData().subarray(${LABEL_LENGTH}));
      globalThis.count = (globalThis.count ?? 0) + 1;
    }
    console.log(globalThis.count, hash.digest('hex'));`;
  // The seed makes the bytes repeatable; --no-lazy compiles inner functions too.
  return run(base, [...flags, '--no-lazy', '--random-seed=1', '--no-deprecation'], script, program);
}

/** Makes the base take its own code cache under the helper's options. */
export function relabelBuiltinCache(base: string, program: string): void {
  const without = bytecodeHash(base, [SAME_HASHES], program);
  const count = Number(without.split(' ')[0]);
  if (count < LABELS_LEAST) fail(`Only ${count} modules could be compared, want at least ${LABELS_LEAST}`);
  if (bytecodeHash(base, RUNTIME_FLAGS, program) !== without) {
    fail(`V8 compiles to other bytecode under ${RUNTIME_FLAGS.join(' ')}: its code cache cannot be used`);
  }
  const from = labelUnder(base, []);
  const to = labelUnder(base, RUNTIME_FLAGS);
  const bytes = readFileSync(base);
  let labels = 0;
  for (let at = bytes.indexOf(from.start); at >= 0; at = bytes.indexOf(from.start, at + 1)) {
    const isLabel =
      from.flagHash.equals(bytes.subarray(at + FLAG_HASH_AT, at + SNAPSHOT_AT)) &&
      from.snapshot.equals(bytes.subarray(at + SNAPSHOT_AT, at + LABEL_LENGTH));
    if (!isLabel) continue;
    to.flagHash.copy(bytes, at + FLAG_HASH_AT);
    labels += 1;
  }
  if (labels < LABELS_LEAST)
    fail(`Found ${labels} labels of code caches in the base, want at least ${LABELS_LEAST}`);
  writeFileSync(base, bytes);
  checkUse(base);
  say(
    `Code cache of the runtime: ${labels} labels changed; the same bytecode in ${count} modules with and without`,
  );
}

/** Fails when a module of the runtime that the helper needs is compiled at start after all. */
function checkUse(base: string): void {
  const script = `
    for (const name of ['child_process', 'crypto', 'dns', 'http2', 'tls', 'vm']) require(name);
    const { compiledWithCache, compiledWithoutCache } = require('internal/test/binding').internalBinding('builtins').getCacheUsage();
    console.log(compiledWithCache.size, ...compiledWithoutCache);`;
  const flags = [...RUNTIME_FLAGS, '--expose-internals', '--no-warnings'];
  const [cached = '0', ...uncached] = run(base, flags, script).split(' ');
  if (Number(cached) === 0 || uncached.length > 0) {
    fail(
      `The base took ${cached} modules from its code cache and compiled ${uncached.join(', ')}, want none compiled`,
    );
  }
}
