import { runningProcess, type SimProcess } from './sim-process.ts';

// The first fields of /proc/self/mountinfo do not matter, see proc_pid_mountinfo(5).
const PROC_MOUNT = '22 1 0:20 / /proc rw - proc proc rw\n';
const LXCFS_MOUNT = '99 22 0:55 /proc/uptime /proc/uptime rw - fuse.lxcfs lxcfs rw\n';

/** PROC_SUPER_MAGIC and FUSE_SUPER_MAGIC (include/uapi/linux/magic.h). */
const FILE_SYSTEM_TYPE = { proc: 0x9fa0, fuse: 0x65735546 } as const;

// The number that a process has where /proc belongs to, when it is not the same by chance.
const PIDS_ABOVE = 1_000;

// When the strangers were started that a foreign /proc shows.
const STRANGERS_START = 4711;

/**
 * Stands in for `node:fs` and `node:os` under src/process/linux-host.ts and src/process/procfs.ts: /proc as the simulated
 * process that asks sees it.
 */
export function readFileSync(path: string): string {
  const self = runningProcess();
  const { proc } = self.machine;
  if (path === '/proc/sys/kernel/random/boot_id') return `${self.machine.bootId}\n`;
  if (path === '/proc/self/mountinfo')
    return proc.uptimeBy === 'mounted file' ? PROC_MOUNT + LXCFS_MOUNT : PROC_MOUNT;
  if (path === '/proc/self/status' && proc.showsItself) {
    const pids = proc.isOwn ? [self.pid] : [numberIn(self), self.pid];
    return `Name:\tctdb_etcd_lock\nNSpid:\t${pids.join('\t')}\n`;
  }
  const which = /^\/proc\/(thread-self|\d+)\/stat$/.exec(path)?.[1];
  if (which === 'thread-self' && proc.showsItself) return statOf(self);
  if (which !== undefined && !proc.isOwn) return `${which} (stranger) S ${fields(1, STRANGERS_START)}`;
  const found = self.machine.processes.get(Number(which));
  if (found === undefined) throw new Error(`ENOENT: ${path}`);
  return statOf(found);
}

function statOf(found: SimProcess): string {
  const [state, threads] =
    found.state === 'alive' ? ['S', 11] : found.state === 'ending' ? ['Z', 4] : ['Z', 1];
  return `${found.pid} (ctdb_etcd_lock) ${state} ${fields(threads, found.startTicks)}`;
}

/** Those of /proc/PID/stat from the fourth on, of which the 18th is the number of threads (proc(5)). */
function fields(threads: number, startTicks: number): string {
  const between = `${'0 '.repeat(14)}20 0`.split(' ').slice(0, 16);
  return `${between.join(' ')} ${threads} 0 ${startTicks} 0\n`;
}

function numberIn(self: SimProcess): number {
  return self.machine.proc.hasSamePids ? self.pid : self.pid + PIDS_ABOVE;
}

export function readlinkSync(path: string): string {
  const self = runningProcess();
  const { machine } = self;
  if (!machine.proc.showsItself) throw new Error(`ENOENT: ${path}`);
  if (path === '/proc/self') return String(numberIn(self));
  if (path === '/proc/self/ns/pid') return `pid:[${machine.pidNamespace}]`;
  if (path === '/proc/self/ns/time') return 'time:[4026531834]';
  throw new Error(`ENOENT: ${path}`);
}

export function statfsSync(path: string): { readonly type: number } {
  if (path !== '/proc/uptime') throw new Error(`ENOENT: ${path}`);
  const isKernels = runningProcess().machine.proc.uptimeBy === 'kernel';
  return { type: FILE_SYSTEM_TYPE[isKernels ? 'proc' : 'fuse'] };
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
