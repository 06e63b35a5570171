// Runs the program under the runtime and the options that are shipped, and writes V8's code cache of all that was run.
// Arguments: the program, the cache to start from or '', the cache to write; then the program's own.
'use strict';
const { readFileSync, writeFileSync } = require('node:fs');
const { Script } = require('node:vm');

const [runtime, , program, cacheIn, cacheOut, ...args] = process.argv;
process.argv = [runtime, runtime, ...args];
const cachedData = cacheIn === '' ? undefined : readFileSync(cacheIn);
const script = new Script(readFileSync(program, 'latin1'), { filename: 'ctdb_etcd_lock.cjs', cachedData });
if (script.cachedDataRejected) throw new Error('V8 rejects the code cache of the run before');
process.on('exit', () => {
  writeFileSync(cacheOut, script.createCachedData());
  writeFileSync(`${cacheOut}.modules`, process.moduleLoadList.join('\n'));
});
script.runInThisContext()(require);
