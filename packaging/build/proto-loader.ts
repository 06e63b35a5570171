/**
 * The static codec behind `@grpc/proto-loader`, the one thing in the bundle that is not what npm installed. etcd3 has that package read
 * `rpc.proto` and make its messages when it is imported, which takes longer than the rest of a start together and 7 MB. Here the tables of
 * `rpc.proto` are made by the build (`codec-schema.ts`), and a codec of 300 lines goes by them (`codec.ts`). `test/unit/etcd/codec.test.ts`
 * compares it with the real library over every message.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';
import { makeSchema, withLaterFields } from './codec-schema.ts';
import { fail } from './report.ts';

const NAME = '@grpc/proto-loader';

export const ETCD3 = dirname(createRequire(import.meta.url).resolve('etcd3/package.json'));

export function versionOf(packageFile: string): string {
  return (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;
}

export function protoLoader(): Plugin {
  const schema = withLaterFields(makeSchema(join(ETCD3, 'proto/rpc.proto')));
  let isUsed = false;
  return {
    name: 'proto-loader',
    setup(setup) {
      setup.onResolve({ filter: new RegExp(`^${NAME}$`) }, ({ path }) => {
        isUsed = true;
        return { path, namespace: 'codec' };
      });
      setup.onLoad({ filter: /./, namespace: 'codec' }, () => ({
        // grpc-js would load protocols for diagnostic services, which nothing here serves.
        contents: `
          import { makePackageDefinition } from './codec-services.ts';
          export function loadSync(file) {
            if (!file.endsWith('/rpc.proto')) throw new Error('No protocol ' + file + ' in this program');
            return makePackageDefinition(${JSON.stringify(schema)});
          }`,
        loader: 'ts',
        resolveDir: import.meta.dirname,
      }));
      setup.onEnd(() => {
        if (!isUsed) fail(`Nothing in the bundle asks for ${NAME}`);
      });
    },
  };
}
