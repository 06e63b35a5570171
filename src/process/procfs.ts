import { readFileSync, readlinkSync, statfsSync } from 'node:fs';
import type { Log } from '../base/log.ts';

/**
 * Which parts of /proc can be used. In a container, /proc can belong to another pid namespace (`unshare -p` without
 * `--mount-proc`, `nsenter -p`, a mounted /proc of the host). Single files can come from lxcfs, a FUSE program that can
 * hang, and that counts the uptime from the start of the container.
 */
export interface Procfs {
  /** Why /proc/PID is not the process with that pid here, as a clause; undefined when it is. */
  readonly foreignBecause: string | undefined;
  /** Why /proc/uptime is not the kernel's clock, as a clause; undefined when it is. */
  readonly noUptimeBecause: string | undefined;
}

/** The files and calls that are used. Tests pass their own. */
export interface ProcfsAccess {
  readonly readlink: (path: string) => string;
  readonly read: (path: string) => string;
  /** `f_type` of statfs(2). */
  readonly fileSystemType: (path: string) => number;
}

/** PROC_SUPER_MAGIC of the kernel (include/uapi/linux/magic.h). */
const PROC_SUPER_MAGIC = 0x9fa0;

const REAL: ProcfsAccess = {
  readlink: (path) => readlinkSync(path),
  read: (path) => readFileSync(path, 'latin1'),
  fileSystemType: (path) => statfsSync(path).type,
};

const UPTIME = '/proc/uptime';
const IS_COVERED = `is mounted on ${UPTIME}`;

const MOUNT_PROCFS = 'mount -t proc proc /proc';

/** Checks /proc once. Opens no file that a program outside the kernel may serve. */
export function inspectProcfs(pid: number, access: ProcfsAccess = REAL): Procfs {
  const foreignBecause = whyForeign(pid, access);
  return { foreignBecause, noUptimeBecause: whyNoUptime(access) };
}

function whyForeign(pid: number, { readlink, read }: ProcfsAccess): string | undefined {
  let self: string;
  let status: string;
  try {
    self = readlink('/proc/self');
    status = read('/proc/self/status');
  } catch {
    return '/proc does not show this process';
  }
  if (self !== String(pid)) return `/proc/self is ${self}, and this process has pid ${pid}`;
  // The line has one pid for each namespace, from that of /proc down to the process's own. The first pid can equal the
  // own one by chance, so the count matters too.
  const pids = /^NSpid:\s*(.*)$/m.exec(status)?.[1]?.trim().split(/\s+/) ?? [self];
  return pids.length === 1 ? undefined : '/proc belongs to a pid namespace above that of this process';
}

/**
 * Why /proc/uptime cannot be used. A mount on that file is found in mountinfo, which the kernel makes. Opening the
 * file, or asking for its file system, would ask the program that serves it, and that program may hang.
 */
function whyNoUptime({ read, fileSystemType }: ProcfsAccess): string | undefined {
  try {
    const mount = mountOn(UPTIME, read('/proc/self/mountinfo'));
    if (mount !== undefined) return `${mount} ${IS_COVERED}`;
    return fileSystemType(UPTIME) === PROC_SUPER_MAGIC ? undefined : `${UPTIME} is not on procfs`;
  } catch {
    return `${UPTIME} cannot be read`;
  }
}

/**
 * The type of the file system that is mounted on `path` itself; undefined when there is none. See
 * proc_pid_mountinfo(5).
 */
function mountOn(path: string, mountinfo: string): string | undefined {
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    if (before.split(' ')[4] === path) return after.split(' ')[0];
  }
  return undefined;
}

/**
 * Returns a function that warns about a /proc that cannot be used. Called by a helper that is about to take the lock,
 * for each try. Warns at the first call only.
 */
export function procfsWarner(
  { foreignBecause, noUptimeBecause }: Procfs,
  log: Pick<Log, 'warning'>,
): () => void {
  let hasWarned = false;
  return () => {
    if (hasWarned) return;
    hasWarned = true;
    if (foreignBecause !== undefined)
      log.warning(
        'warn-proc',
        `A dead holder on this host is not recognized (${foreignBecause}); mount procfs in CTDB's pid namespace: ${MOUNT_PROCFS}`,
      );
    if (noUptimeBecause !== undefined) {
      const remedy = noUptimeBecause.endsWith(IS_COVERED)
        ? `run umount ${UPTIME} in this container`
        : `mount procfs: ${MOUNT_PROCFS}`;
      log.warning(
        'warn-uptime',
        `The kernel's uptime is not used (${noUptimeBecause}): only the wall clock shows a suspend; ${remedy}`,
      );
    }
  };
}
