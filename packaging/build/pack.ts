/** Puts the program, its code cache and the boot code into the stripped runtime, by way of pkg. */
import { copyFileSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { BASE, readFuse } from './base.ts';
import { RUNTIME_FLAGS } from './flags.ts';
import { removePadding } from './padding.ts';
import { fail, megabytes, say } from './report.ts';

interface SeaConfig {
  readonly main: string;
  readonly assets: Readonly<Record<string, string>>;
  readonly execArgv: readonly string[];
  readonly execArgvExtension: 'none' | 'env' | 'cli';
  readonly useCodeCache: boolean;
}

type Sea = (
  entry: string,
  options: {
    readonly targets: readonly { nodeRange: string; platform: string; arch: string; output: string }[];
    readonly signature: boolean;
    readonly nodePath: string;
    readonly seaConfig: SeaConfig;
  },
) => Promise<void>;

/** What goes in; all in `directory`, by its name there. */
export interface Parts {
  readonly directory: string;
  readonly base: string;
  readonly program: string;
  readonly cache: string;
}

// V8 copies a code cache that does not begin at such an address, and the freed copy stays: 1 MB of memory.
const CACHE_ALIGNMENT = 8;

/**
 * Writes the cache with `lead` bytes before it, the first of which says how many they are (boot.cjs).
 * @returns the name of the file
 */
function withLead(directory: string, cache: string, lead: number): string {
  const asset = join(directory, 'cache.asset');
  writeFileSync(asset, Buffer.concat([Buffer.alloc(lead, lead), readFileSync(join(directory, cache))]));
  return asset;
}

/** How far the cache in `file` is behind an aligned place. Pages are mapped as they stand, so the address has the same. */
function misalignment(file: string, cacheFile: string): number {
  const at = readFileSync(file).indexOf(readFileSync(cacheFile));
  if (at < 0) fail('The packed file does not contain the code cache');
  return at % CACHE_ALIGNMENT;
}

/** Writes `outFile`. The bytes depend on the parts alone, not on where they are. */
export async function pack(parts: Parts, outFile: string): Promise<void> {
  const { directory, cache } = parts;
  const unfinished = join(directory, 'unfinished');
  const inject = async (lead: number): Promise<number> => {
    await packOnce(parts, withLead(directory, cache, lead), unfinished);
    return misalignment(unfinished, join(directory, cache));
  };
  // Where the cache comes to stand is known afterwards only.
  const behind = await inject(CACHE_ALIGNMENT);
  if (behind !== 0 && (await inject(CACHE_ALIGNMENT - behind)) !== 0)
    fail('The code cache has no aligned place in the packed file');
  const { count, isLit } = readFuse(unfinished);
  if (count !== 1 || !isLit) fail(`The fuse stands ${count} times in the packed file, want once and lit`);
  renameSync(unfinished, outFile);
  say(`Packed: ${megabytes(statSync(outFile).size)}`);
}

async function packOnce(
  { directory, base, program }: Parts,
  cacheAsset: string,
  outFile: string,
): Promise<void> {
  // pkg's command line cannot say most of this, so its inside is called; pkg is pinned.
  const { default: sea } = createRequire(import.meta.url)('@yao-pkg/pkg/lib-es5/sea.js') as { default: Sea };
  const boot = join(directory, 'boot.cjs');
  copyFileSync(join(import.meta.dirname, 'boot.cjs'), boot);
  // pkg works in a new directory inside this one, and the name of the main script ends up in the binary: as seen from
  // there, it is the same everywhere.
  const fromInside = (name: string): string => join('..', basename(name));
  process.env['TMPDIR'] = directory;
  const [nodeRange = '', platform = '', arch = ''] = BASE.target.split('-');
  await sea(boot, {
    targets: [{ nodeRange, platform, arch, output: outFile }],
    signature: false,
    nodePath: join(directory, base),
    seaConfig: {
      main: fromInside(boot),
      assets: { 'program.cjs': fromInside(program), 'program.cache': fromInside(cacheAsset) },
      execArgv: RUNTIME_FLAGS,
      // NODE_OPTIONS of whoever starts us is not for us.
      execArgvExtension: 'none',
      useCodeCache: false,
    },
  });
  removePadding(outFile);
}
