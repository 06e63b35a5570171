// What the packed binary runs first: it loads the program together with its code cache.
'use strict';
const { getRawAsset } = require('node:sea');
const { Script } = require('node:vm');

const source = Buffer.from(getRawAsset('program.cjs')).latin1Slice();
const cachedData = Buffer.from(getRawAsset('program.cache'));
const script = new Script(source, { filename: 'ctdb_etcd_lock.cjs', cachedData });
if (process.argv[2] === '--boot-report') {
  // For the build and its tests only: is the code cache of any use to this binary?
  const { cachedDataRejected } = script;
  const { version, execArgv } = process;
  process.stdout.write(
    `${JSON.stringify({ version, execArgv, cachedDataRejected, source: source.length, cache: cachedData.length })}\n`,
  );
} else {
  script.runInThisContext()(require);
}
