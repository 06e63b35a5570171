import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type { CheckReport } from './report.ts';

/**
 * Checks that CTDB can execute `program`, and whether it is the program that runs now.
 * @returns false when CTDB cannot execute it
 */
export function checkProgram(program: string, report: CheckReport): boolean {
  try {
    const theirs = statSync(program);
    const ours = statSync('/proc/self/exe');
    if ((theirs.mode & 0o111) === 0 || !theirs.isFile()) {
      report.problem('ctdb-program', `"${program}" cannot be executed`, `run chmod 755 ${program}`);
      return false;
    }
    if (theirs.dev === ours.dev && theirs.ino === ours.ino) return true;
    if (isScript(program)) {
      const text = `not migrated yet: "${program}" is a script, such as Samba's own helper, and not this program`;
      const remedy = 'with CTDB stopped on all nodes, install the package ctdb-etcd-lock on every node';
      report.warning('ctdb-script', text, remedy);
      return false;
    }
    report.note('ctdb-copy', `CTDB runs "${program}", and this check runs from another file`);
    return true;
  } catch {
    const remedy = 'install the package ctdb-etcd-lock, or correct the path of the cluster lock';
    report.problem('ctdb-program', `"${program}" is not there`, remedy);
    return false;
  }
}

function isScript(path: string): boolean {
  const start = Buffer.alloc(2);
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    readSync(fd, start, 0, 2, 0);
  } catch {
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return start.toString('latin1') === '#!';
}
