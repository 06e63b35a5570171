/** What the bundle has in place of parts of the libraries and of the runtime, and why: each of them costs a start time. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';
import { makeSchema } from './codec-schema.ts';
import * as grpcClient from './grpc-client.ts';
import { fail } from './report.ts';

const HERE = import.meta.dirname;
const require = createRequire(import.meta.url);
export const ETCD3 = dirname(require.resolve('etcd3/package.json'));
const GRPC = dirname(require.resolve('@grpc/grpc-js/package.json'));

/** Modules of the runtime that a start does not need, or not yet: loaded when first used. */
const LAZY_MODULES = ['child_process', 'dns', 'zlib'];

/** Files that stand in for others. */
const FILES: Readonly<Record<string, string>> = {
  '@grpc/grpc-js': 'grpc-client.ts',
  [join(GRPC, 'build/src/channelz.js')]: 'channelz.ts',
  net: 'net.ts',
};

export function versionOf(packageFile: string): string {
  return (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;
}

/** What etcd3 takes from grpc-js must be there: it asks for it by name at run time, where esbuild cannot see it. */
export function checkGrpcNames(): void {
  const source = readFileSync(join(ETCD3, 'lib/connection-pool.js'), 'utf8');
  for (const [, name = ''] of source.matchAll(/\bgrpc\.(\w+)/g)) {
    if (!(name in grpcClient)) {
      fail(`etcd3 uses ${name} of grpc-js, which packaging/build/grpc-client.ts lacks`);
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

/**
 * `http2` loads `assert`, which looks whether the terminal has colours, for which `process.stderr` is made: 1 ms of a
 * start. There is none to be found while it loads.
 */
const HTTP2 = `
  const stderr = Object.getOwnPropertyDescriptor(process, 'stderr');
  Object.defineProperty(process, 'stderr', { configurable: true, value: undefined });
  module.exports = require('node:http2');
  Object.defineProperty(process, 'stderr', stderr);`;

/** Puts the static codec in place of `@grpc/proto-loader`, and so on. */
export function standIns(): Plugin {
  const schema = makeSchema(join(ETCD3, 'proto/rpc.proto'));
  const used = new Set<string>();
  const wanted = [...Object.keys(FILES), ...LAZY_MODULES, 'http2', '@grpc/proto-loader'];
  const isOurs = (importer: string): boolean => importer.startsWith(HERE);
  return {
    name: 'stand-ins',
    setup(setup) {
      setup.onResolve({ filter: /./ }, ({ path, importer, namespace, resolveDir }) => {
        if (namespace !== 'file' || isOurs(importer)) return undefined;
        let name = path.replace(/^node:/, '');
        if (path.startsWith('.') && resolveDir.startsWith(GRPC)) {
          name = join(resolveDir, path);
          if (!existsSync(name)) name += '.js';
        }
        if (!wanted.includes(name)) return undefined;
        used.add(name);
        const file = FILES[name];
        if (file !== undefined) return { path: join(HERE, file) };
        if (LAZY_MODULES.includes(name)) return { path: name, namespace: 'lazy' };
        if (name === 'http2') return { path: name, namespace: 'http2' };
        // grpc-js would load protocols of its own, those of its diagnostic services, which nothing here serves.
        if (!importer.startsWith(ETCD3)) return { errors: [{ text: `only etcd3 may load ${name}` }] };
        return { path: name, namespace: 'codec' };
      });
      setup.onLoad({ filter: /./, namespace: 'lazy' }, ({ path }) => ({ contents: lazyModule(path) }));
      setup.onLoad({ filter: /./, namespace: 'http2' }, () => ({ contents: HTTP2 }));
      setup.onLoad({ filter: /./, namespace: 'codec' }, () => ({
        contents: `
          import { makePackageDefinition } from './codec-services.ts';
          export const loadSync = () => makePackageDefinition(${JSON.stringify(schema)});`,
        loader: 'ts',
        resolveDir: HERE,
      }));
      // grpc-js wants no more than its own version of its package.json.
      setup.onLoad({ filter: /\/@grpc\/grpc-js\/package\.json$/ }, ({ path }) => ({
        contents: JSON.stringify({ version: versionOf(path) }),
        loader: 'json',
      }));
      setup.onEnd(() => {
        const unused = wanted.filter((name) => !used.has(name));
        if (unused.length > 0)
          fail(`Nothing in the bundle asks for ${unused.join(', ')}, which have stand-ins`);
      });
    },
  };
}
