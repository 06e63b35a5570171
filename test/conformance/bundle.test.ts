import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** The modules that esbuild put into the binary, by their paths in the checkout. */
const modules = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../dist/build/program.cjs.inputs.json', import.meta.url)), 'utf8'),
) as string[];

/** The one library that the build replaces, and what it puts there (packaging/build/proto-loader.ts). */
const CODEC = [
  'codec:@grpc/proto-loader',
  'packaging/build/codec-services.ts',
  'packaging/build/codec-wire.ts',
  'packaging/build/codec.ts',
];

for (const module of [
  '@grpc/grpc-js/build/src/index.js',
  '@grpc/grpc-js/build/src/channel.js',
  '@grpc/grpc-js/build/src/transport.js',
  '@grpc/grpc-js/build/src/subchannel-call.js',
  'etcd3/lib/connection-pool.js',
  'etcd3/lib/rpc.js',
  'cockatiel/dist/index.js',
]) {
  test(`the binary has ${module} as npm installed it`, () => {
    assert.ok(modules.includes(`node_modules/${module}`));
  });
}

test('nothing in the binary is a stand-in, apart from the codec', () => {
  const others = modules.filter((path) => !/^(src|node_modules)\//.test(path));
  assert.deepEqual(others.sort(), CODEC);
});
