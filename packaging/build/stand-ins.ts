/** What the bundle has in place of parts of the libraries and of the runtime, and why: each of them costs a start time. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';
import { makeSchema } from './codec-schema.ts';
import * as cockatiel from './cockatiel.ts';
import * as grpcClient from './grpc-client.ts';
import { fail } from './report.ts';

const HERE = import.meta.dirname;
const require = createRequire(import.meta.url);
export const ETCD3 = dirname(require.resolve('etcd3/package.json'));

/** Modules of the runtime that a start does not need, or not yet: loaded when first used. */
const LAZY_MODULES = ['child_process', 'crypto', 'dns', 'http', 'os', 'tls', 'tty'];

/** Files that stand in for others. */
const FILES: Readonly<Record<string, string>> = {
  '@grpc/grpc-js': 'grpc-client.ts',
  cockatiel: 'cockatiel.ts',
  net: 'net.ts',
};

export function versionOf(packageFile: string): string {
  return (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;
}

/** What etcd3 takes from those libraries must be there: it asks for it by name at run time, where esbuild cannot see it. */
export function checkStandIns(): void {
  const source = readFileSync(join(ETCD3, 'lib/connection-pool.js'), 'utf8');
  for (const [asked, standIn] of [
    [/\bgrpc\.(\w+)/g, grpcClient],
    [/\bcockatiel_1\.(\w+)/g, cockatiel],
  ] as const) {
    for (const [use, name = ''] of source.matchAll(asked)) {
      if (!(name in standIn)) fail(`etcd3 uses ${use}, which its stand-in in packaging/build lacks`);
    }
  }
}

/** Has the names of module `name`, each of which loads the module when it is used. */
function lazyModule(name: string): string {
  const names = Object.keys(require(`node:${name}`) as object);
  return `
    for (const name of ${JSON.stringify(names.join(' '))}.split(' ')) {
      Object.defineProperty(exports, name, { enumerable: true, get: () => require('node:${name}')[name] });
    }`;
}

/** Puts the static codec in place of `@grpc/proto-loader`, and so on. */
export function standIns(): Plugin {
  const schema = makeSchema(join(ETCD3, 'proto/rpc.proto'));
  const used = new Set<string>();
  const wanted = [...Object.keys(FILES), ...LAZY_MODULES, '@grpc/proto-loader'];
  const isOurs = (importer: string): boolean => importer.startsWith(HERE);
  return {
    name: 'stand-ins',
    setup(setup) {
      setup.onResolve({ filter: /./ }, ({ path, importer, namespace }) => {
        if (namespace !== 'file' || isOurs(importer)) return undefined;
        const name = path.replace(/^node:/, '');
        if (!wanted.includes(name)) return undefined;
        used.add(name);
        const file = FILES[name];
        if (file !== undefined) return { path: join(HERE, file) };
        if (LAZY_MODULES.includes(name)) return { path: name, namespace: 'lazy' };
        return { path: name, namespace: 'codec' };
      });
      setup.onLoad({ filter: /./, namespace: 'lazy' }, ({ path }) => ({ contents: lazyModule(path) }));
      setup.onLoad({ filter: /./, namespace: 'codec' }, () => ({
        contents: `
          import { makePackageDefinition } from './codec-services.ts';
          export const loadSync = () => makePackageDefinition(${JSON.stringify(schema)});`,
        loader: 'ts',
        resolveDir: HERE,
      }));
      setup.onEnd(() => {
        const unused = wanted.filter((name) => !used.has(name));
        if (unused.length > 0)
          fail(`Nothing in the bundle asks for ${unused.join(', ')}, which have stand-ins`);
      });
    },
  };
}
