// Runs the program as the packed binary does, and from time to time frees what can be freed and notes what is left, a line
// of JSON each. Arguments: the program, milliseconds between two looks, the file for the notes; then the program's own.
'use strict';
const { appendFileSync, readFileSync } = require('node:fs');
const { Script } = require('node:vm');

const [runtime, , program, everyMs, notes, ...args] = process.argv;
process.argv = [runtime, runtime, ...args];
const look = () => {
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  appendFileSync(
    notes,
    `${JSON.stringify({ atS: process.uptime(), heapKb: heapUsed / 1024, externalKb: external / 1024 })}\n`,
  );
};
setInterval(look, Number(everyMs)).unref();
new Script(readFileSync(program, 'latin1'), { filename: 'ctdb_etcd_lock.cjs' }).runInThisContext()(require);
