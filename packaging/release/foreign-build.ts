// The part of the build for arm64 that runs programs for arm64; see foreign.ts. Argument: the directory with the parts.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { relabelBuiltinCache } from '../build/builtin-cache.ts';
import { fail, say } from '../build/report.ts';
import { pack } from '../build/pack.ts';
import { train } from '../build/train.ts';

const work = process.argv[2] ?? fail('Usage: foreign-build.ts DIRECTORY');
const binary = join(work, 'ctdb_etcd_lock');
relabelBuiltinCache(join(work, 'base'), join(work, 'program.cjs'));
await train(join(work, 'base'), join(work, 'program.cjs'), join(work, 'program.cache'));
await pack({ directory: work, base: 'base', program: 'program.cjs', cache: 'program.cache' }, binary);
const report = JSON.parse(execFileSync(binary, ['--boot-report'], { encoding: 'utf8', env: {} })) as {
  cachedDataRejected?: boolean;
};
if (report.cachedDataRejected !== false) fail('The binary for arm64 rejects its code cache');
say(
  `Verified under qemu: ${execFileSync(binary, ['--version'], { encoding: 'utf8', env: {} }).split('\n')[0] ?? ''}`,
);
