// Runs the program under the runtime and the options that are shipped, and writes V8's code cache of all that was run.
// Arguments: the program, the cache to start from or '', the cache to write; then the program's own.
'use strict';
const fs = require('node:fs');
const { Script } = require('node:vm');

// The program's time goes slower. On a busy machine its limits would pass otherwise, and it would call other functions.
const SLOWER = 5;

function slowDown() {
  const { setTimeout: wait, setInterval: repeat } = globalThis;
  globalThis.setTimeout = (then, ms, ...args) => wait(then, ms * SLOWER, ...args);
  globalThis.setInterval = (then, ms, ...args) => repeat(then, ms * SLOWER, ...args);
  const startedAtMs = Date.now();
  const { now: wallNow } = Date;
  Date.now = () => startedAtMs + (wallNow() - startedAtMs) / SLOWER;
  const sinceStart = performance.now.bind(performance);
  performance.now = () => sinceStart() / SLOWER;
  // The program compares its clock with the kernel's uptime.
  const { openSync, readSync } = fs;
  let uptimeFd;
  let firstS;
  fs.openSync = (path, ...args) => {
    const fd = openSync(path, ...args);
    if (path === '/proc/uptime') uptimeFd = fd;
    return fd;
  };
  fs.readSync = (fd, buffer, ...args) => {
    const length = readSync(fd, buffer, ...args);
    if (fd !== uptimeFd) return length;
    const uptimeS = Number.parseFloat(buffer.toString('latin1', 0, length));
    firstS ??= uptimeS;
    return buffer.write((firstS + (uptimeS - firstS) / SLOWER).toFixed(2), 'latin1');
  };
}

const [runtime, , program, cacheIn, cacheOut, ...args] = process.argv;
process.argv = [runtime, runtime, ...args];
const cachedData = cacheIn === '' ? undefined : fs.readFileSync(cacheIn);
const script = new Script(fs.readFileSync(program, 'latin1'), { filename: 'ctdb_etcd_lock.cjs', cachedData });
if (script.cachedDataRejected) throw new Error('V8 rejects the code cache of the run before');
process.on('exit', () => {
  fs.writeFileSync(cacheOut, script.createCachedData());
  fs.writeFileSync(`${cacheOut}.modules`, process.moduleLoadList.join('\n'));
});
slowDown();
script.runInThisContext()(require);
