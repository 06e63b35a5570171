// Runs the program under the runtime and the options that are shipped, and writes V8's code cache of all that was run.
// Arguments: the program, the cache to start from or '', the cache to write; then the program's own.
'use strict';
const fs = require('node:fs');
const { Script } = require('node:vm');

const [runtime, , program, cacheIn, cacheOut, ...args] = process.argv;
process.argv = [runtime, runtime, ...args];
const cachedData = cacheIn === '' ? undefined : fs.readFileSync(cacheIn);
const script = new Script(fs.readFileSync(program, 'latin1'), { filename: 'ctdb_etcd_lock.cjs', cachedData });
if (script.cachedDataRejected) throw new Error('V8 rejects the code cache of the run before');
process.on('exit', () => {
  fs.writeFileSync(cacheOut, script.createCachedData());
  fs.writeFileSync(`${cacheOut}.modules`, process.moduleLoadList.join('\n'));
});

// Under an emulator everything takes many times as long, and the program's limits do not know that: its clock and its timers
// go slower by this factor then.
const slowness = Number(process.env.SLOWNESS ?? '1');
delete process.env.SLOWNESS;
if (slowness !== 1) {
  const { uptime } = process;
  const { setTimeout } = globalThis;
  const { openSync } = fs;
  process.uptime = () => uptime() / slowness;
  globalThis.setTimeout = (fire, delayMs, ...args) => setTimeout(fire, delayMs * slowness, ...args);
  // The clock that goes on in suspend cannot be slowed down; without it the program trusts the other one.
  fs.openSync = (path, ...args) => openSync(path === '/proc/uptime' ? '/dev/null' : path, ...args);
}
script.runInThisContext()(require);
