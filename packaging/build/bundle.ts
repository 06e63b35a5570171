/** Makes one file of the program and what it imports. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { makeSchema } from './codec-schema.ts';
import * as grpcClient from './grpc-client.ts';
import { fail, kilobytes, say } from './report.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HERE = import.meta.dirname;
const ETCD3 = dirname(createRequire(import.meta.url).resolve('etcd3/package.json'));

function versionOf(packageFile: string): string {
  return (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;
}

/** The commit that is built: GIT_COMMIT, for builds from an archive, else what git says, else `unknown`. */
function commit(): string {
  const given = process.env['GIT_COMMIT'];
  if (given !== undefined && given !== '') return given;
  try {
    const args = ['describe', '--always', '--dirty', '--abbrev=12', '--exclude=*'];
    return execFileSync('git', args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

/** What etcd3 takes from grpc-js must be there: it asks for it by name at run time, where esbuild cannot see it. */
function checkGrpcNames(): void {
  const source = readFileSync(join(ETCD3, 'lib/connection-pool.js'), 'utf8');
  for (const [, name = ''] of source.matchAll(/\bgrpc\.(\w+)/g)) {
    if (!(name in grpcClient))
      fail(`etcd3 uses ${name} of grpc-js, which packaging/build/grpc-client.ts lacks`);
  }
}

/** Puts the static codec in place of `@grpc/proto-loader`, and the client's part of grpc-js in place of the whole. */
function standIns(): Plugin {
  const schema = makeSchema(join(ETCD3, 'proto/rpc.proto'));
  const replaced = new Set<string>();
  return {
    name: 'stand-ins',
    setup(setup) {
      setup.onResolve({ filter: /^@grpc\/(proto-loader|grpc-js)$/ }, ({ path, importer }) => {
        replaced.add(path);
        if (path === '@grpc/grpc-js') return { path: join(HERE, 'grpc-client.ts') };
        // grpc-js would load protocols of its own, those of its diagnostic services, which nothing here serves.
        if (!importer.startsWith(ETCD3)) return { path, namespace: 'no-codec' };
        return { path, namespace: 'codec' };
      });
      setup.onLoad({ filter: /.*/, namespace: 'codec' }, () => ({
        contents: `
          import { makePackageDefinition } from './codec-services.ts';
          export const loadSync = () => makePackageDefinition(${JSON.stringify(schema)});`,
        loader: 'ts',
        resolveDir: HERE,
      }));
      setup.onLoad({ filter: /.*/, namespace: 'no-codec' }, () => ({
        contents: `export const loadSync = () => { throw new Error('This protocol is not built in'); };`,
      }));
      // grpc-js wants no more than its own version of its package.json.
      setup.onLoad({ filter: /\/@grpc\/grpc-js\/package\.json$/ }, ({ path }) => ({
        contents: JSON.stringify({ version: versionOf(path) }),
        loader: 'json',
      }));
      setup.onEnd(() => {
        if (replaced.size !== 2)
          fail(`The bundle uses ${[...replaced].join(' ')}, want stand-ins for two libraries`);
      });
    },
  };
}

/** Bundles `entry` and writes `outFile`: a function expression that takes `require`, in plain ASCII. */
export async function bundle(entry: string, outFile: string): Promise<void> {
  checkGrpcNames();
  const info = {
    version: versionOf(join(ROOT, 'package.json')),
    commit: commit(),
    etcd3: versionOf(join(ETCD3, 'package.json')),
  };
  const { metafile, warnings } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile: outFile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    charset: 'ascii',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    // Where etcd3 would look for its protocol; the codec has it built in.
    define: { __dirname: '"."' },
    banner: { js: `(function(require){"use strict";const __BUILD__=${JSON.stringify(info)};` },
    footer: { js: '})' },
    plugins: [standIns()],
    metafile: true,
    logLevel: 'silent',
  });
  for (const { text, location } of warnings) fail(`esbuild warns: ${text} (${location?.file ?? 'no file'})`);
  // What went in, for the licences that go with the packages.
  writeFileSync(`${outFile}.inputs.json`, JSON.stringify(Object.keys(metafile.inputs)));
  const bytes = metafile.outputs[Object.keys(metafile.outputs)[0] ?? '']?.bytes ?? 0;
  say(`Bundle: ${Object.keys(metafile.inputs).length} modules, ${kilobytes(bytes)}; commit ${info.commit}`);
}
