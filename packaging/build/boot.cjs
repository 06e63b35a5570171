// What the packed binary runs first: it loads the program together with its code cache.
'use strict';
const { getRawAsset } = require('node:sea');
const { Script } = require('node:vm');

// gRPC would trace into CTDB's log.
for (const name of Object.keys(process.env)) if (name.startsWith('GRPC_')) delete process.env[name];

// The runtime obeys such variables before any program can forbid it. So the helper starts once more in the same process,
// without them. That costs one start of the runtime when there are any. docs/security.md names those that act before this
// line. (NODE_CHANNEL_FD is gone from the environment by now, but the channel is open.)
// UV_THREADPOOL_SIZE and others are for its library libuv; the helper chooses the number of threads itself.
const meantForNode = Object.keys(process.env).filter((name) => /^(NODE|UV)_/.test(name));
if (meantForNode.length > 0 || process.connected !== undefined) {
  const env = { ...process.env };
  for (const name of meantForNode) delete env[name];
  process.execve(process.execPath, [process.argv0, ...process.argv.slice(2)], env);
}

const source = Buffer.from(getRawAsset('program.cjs')).latin1Slice();
const cacheAsset = Buffer.from(getRawAsset('program.cache'));
// The build has put bytes before the cache, so that it begins at an aligned address (pack.ts).
const cachedData = cacheAsset.subarray(cacheAsset[0]);
const script = new Script(source, { filename: 'ctdb_etcd_lock.cjs', cachedData });
if (process.argv[2] === '--boot-report') {
  // For the build and its tests only: is the code cache of any use to this binary?
  const { cachedDataRejected } = script;
  const { version, execArgv } = process;
  const sizes = { source: source.length, cache: cachedData.length };
  process.stdout.write(`${JSON.stringify({ version, execArgv, cachedDataRejected, ...sizes })}\n`);
} else {
  script.runInThisContext()(require);
}
