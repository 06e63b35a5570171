/** Puts the program, its code cache and the boot code into the stripped runtime, by way of pkg. */
import { copyFileSync, renameSync, statSync } from 'node:fs';
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

/** Writes `outFile`. The bytes depend on the parts alone, not on where they are. */
export async function pack({ directory, base, program, cache }: Parts, outFile: string): Promise<void> {
  // pkg's command line cannot say most of this, so its inside is called; pkg is pinned.
  const { default: sea } = createRequire(import.meta.url)('@yao-pkg/pkg/lib-es5/sea.js') as { default: Sea };
  const boot = join(directory, 'boot.cjs');
  copyFileSync(join(import.meta.dirname, 'boot.cjs'), boot);
  // pkg works in a new directory inside this one, and the name of the main script ends up in the binary: as seen from
  // there, it is the same everywhere.
  const fromInside = (name: string): string => join('..', basename(name));
  process.env['TMPDIR'] = directory;
  const unfinished = join(directory, 'unfinished');
  const [nodeRange = '', platform = '', arch = ''] = BASE.target.split('-');
  await sea(boot, {
    targets: [{ nodeRange, platform, arch, output: unfinished }],
    signature: false,
    nodePath: join(directory, base),
    seaConfig: {
      main: fromInside(boot),
      assets: { 'program.cjs': fromInside(program), 'program.cache': fromInside(cache) },
      execArgv: RUNTIME_FLAGS,
      // NODE_OPTIONS of whoever starts us is not for us.
      execArgvExtension: 'none',
      useCodeCache: false,
    },
  });
  removePadding(unfinished);
  const { count, isLit } = readFuse(unfinished);
  if (count !== 1 || !isLit) fail(`The fuse stands ${count} times in the packed file, want once and lit`);
  renameSync(unfinished, outFile);
  say(`Packed: ${megabytes(statSync(outFile).size)}`);
}
