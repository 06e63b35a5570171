import { runningProcess } from './sim-process.ts';

/** Stands in for `node:fs` and `node:os` under src/process/linux-host.ts: /proc as the simulated process that asks sees it. */
export function readFileSync(path: string): string {
  const self = runningProcess();
  if (path === '/proc/sys/kernel/random/boot_id') return `${self.machine.bootId}\n`;
  const which = /^\/proc\/(thread-self|\d+)\/stat$/.exec(path)?.[1];
  const found = which === 'thread-self' ? self : self.machine.processes.get(Number(which));
  if (found === undefined) throw new Error(`ENOENT: ${path}`);
  const [state, threads] =
    found.state === 'alive' ? ['S', 11] : found.state === 'ending' ? ['Z', 4] : ['Z', 1];
  // Fields 4 to 19, of which the 18th is the number of threads (proc(5), /proc/PID/stat).
  const between = `${'0 '.repeat(14)}20 0`.split(' ').slice(0, 16);
  return `${found.pid} (ctdb_etcd_lock) ${state} ${between.join(' ')} ${threads} 0 ${found.startTicks} 0\n`;
}

export function readlinkSync(path: string): string {
  const { machine } = runningProcess();
  if (path === '/proc/self/ns/pid') return `pid:[${machine.pidNamespace}]`;
  if (path === '/proc/self/ns/time') return 'time:[4026531834]';
  throw new Error(`ENOENT: ${path}`);
}

export function readdirSync(path: string): string[] {
  throw new Error(`ENOENT: ${path}`);
}

export function lstatSync(path: string): never {
  throw new Error(`ENOENT: ${path}`);
}

export function hostname(): string {
  return runningProcess().machine.name;
}
