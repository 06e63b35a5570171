import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { childrenOf, isRunning, processState, run, runChecked, spawnTied } from '../../support/processes.ts';
import type { Finished } from '../../support/processes.ts';
import { waitFor } from '../../support/wait.ts';
import { Cable } from './hub.ts';
import { CtdbLog } from './log.ts';

/** The releases of Debian whose CTDB test/ctdb/setup.sh unpacks: CTDB 4.17, 4.22 and 4.25. */
export const CTDB_RELEASES = ['bookworm', 'trixie', 'forky'] as const;
export type CtdbRelease = (typeof CTDB_RELEASES)[number];

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));
const INIT = fileURLToPath(new URL('./node-init.sh', import.meta.url));

/** The binary under test. */
export const OUR_BINARY = join(CHECKOUT, 'dist/ctdb_etcd_lock');

export interface NodePlan {
  readonly release: CtdbRelease;
  readonly pnn: number;
  /** The addresses of all nodes, by node number. */
  readonly addresses: readonly string[];
  /** For this node's files; exists and is empty. */
  readonly directory: string;
  /** What all nodes see as /shared. */
  readonly shared: string;
  /** In ctdb.conf. */
  readonly clusterLock: string;
  /** /etc/ctdb/etcd; undefined for none. */
  readonly etcdConfig: string | undefined;
  /** Takes the place of the release's own /usr/libexec/ctdb/ctdb_etcd_lock. */
  readonly binary: string | undefined;
  /** A root file system with CTDB in the place of the release's own. */
  readonly root?: string;
  /** Name of the device on the hub's side: at most 15 characters, the process's own. */
  readonly cable: string;
}

/** A process of a node, as the machine sees it. */
export interface NodeProcess {
  readonly pid: number;
  readonly parentPid: number;
  /** The title that CTDB gave it, or the program's name. */
  readonly title: string;
  /** Arguments, joined by spaces. */
  readonly command: string;
}

/** One machine of the cluster: namespaces of its own, a release's root file system, and CTDB in it. */
export class CtdbNode {
  readonly plan: NodePlan;
  readonly log: CtdbLog;
  readonly cable: Cable;
  readonly #init: ChildProcess;
  readonly #initPid: number;
  readonly #pidNamespace: string;

  private constructor(plan: NodePlan, init: ChildProcess, initPid: number, cable: Cable) {
    this.plan = plan;
    this.#init = init;
    this.#initPid = initPid;
    this.#pidNamespace = readlinkSync(`/proc/${initPid}/ns/pid`);
    this.cable = cable;
    this.log = new CtdbLog(join(plan.directory, 'log/log.ctdb'));
  }

  /** Boots the machine; CTDB is not started yet. */
  static async boot(plan: NodePlan): Promise<CtdbNode> {
    const root = plan.root ?? join(CHECKOUT, '.cache/ctdb', plan.release);
    if (!existsSync(join(root, '.complete'))) throw new Error(`Cannot find ${root}: run test/ctdb/setup.sh`);
    await Promise.all(['lib', 'log'].map((name) => mkdir(join(plan.directory, name))));
    for (const name of ['volatile', 'persistent', 'state', 'scripts']) {
      await mkdir(join(plan.directory, 'lib', name));
    }
    await cp(join(root, 'etc/ctdb'), join(plan.directory, 'etc'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    await writeFile(join(plan.directory, 'etc/nodes'), plan.addresses.map((line) => `${line}\n`).join(''));
    await writeFile(
      join(plan.directory, 'etc/ctdb.conf'),
      `[logging]
  location = file:/var/log/ctdb/log.ctdb
  log level = NOTICE
[cluster]
  cluster lock = ${plan.clusterLock}
`,
    );
    if (plan.etcdConfig !== undefined)
      await writeFile(join(plan.directory, 'etc/etcd'), plan.etcdConfig, { mode: 0o600 });
    await writeFile(
      join(plan.directory, 'smb.conf'),
      '[global]\n  netbios name = FSCLUSTER\n  clustering = yes\n',
    );
    const init = spawnTied(
      'unshare',
      [
        ...['--mount', '--pid', '--net', '--uts', '--ipc', '--fork', '--kill-child'],
        ...[INIT, `fs${plan.pnn}`, root, plan.directory, plan.shared],
        ...(plan.binary === undefined ? [] : [plan.binary]),
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    const unsharePid = init.pid;
    if (unsharePid === undefined) throw new Error('Cannot start unshare');
    const initPid = await waitFor('the node has a process', () => {
      if (init.exitCode !== null) throw new Error(`node-init.sh ended with ${init.exitCode}`);
      return childrenOf(unsharePid)[0];
    });
    // It is chrooted once it is up.
    await waitFor('the node is up', () => {
      if (init.exitCode !== null) throw new Error(`node-init.sh ended with ${init.exitCode}`);
      return readlinkSync(`/proc/${initPid}/root`) !== '/' && childrenOf(initPid).length > 0;
    });
    return new CtdbNode(
      plan,
      init,
      initPid,
      await Cable.plug(plan.cable, initPid, plan.addresses[plan.pnn] ?? ''),
    );
  }

  get pnn(): number {
    return this.plan.pnn;
  }

  /** Pulls the plug: everything on the node is gone at once. */
  async powerOff(): Promise<void> {
    if (this.#init.exitCode !== null || this.#init.signalCode !== null) return;
    this.#init.kill('SIGKILL');
    await waitFor('the node is gone', () => !isRunning(this.#initPid));
  }

  /** Runs a program on the node to its end. */
  run(command: string, args: readonly string[], limitMs = 20_000): Promise<Finished> {
    return run('nsenter', this.entry(command, args), { limitMs });
  }

  /** Runs `ctdb` on the node; rejects unless it succeeds. */
  ctdb(...args: string[]): Promise<string> {
    return runChecked('nsenter', this.entry('/usr/bin/ctdb', args), { limitMs: 60_000 });
  }

  /** The arguments with which nsenter runs a program on the node. */
  entry(command: string, args: readonly string[] = []): string[] {
    // A session inside: to ctdbd, which signals its process group when it ends, one outside would look like group 0,
    // which is everybody's own.
    const clean = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin'];
    const session = ['setsid', '--wait', ...clean, command, ...args];
    return ['--target', String(this.#initPid), '--all', '--root', '--wd', ...session];
  }

  /** Starts ctdbd, which detaches itself. */
  async startCtdb(): Promise<void> {
    const { status, stderr } = await this.run('/usr/sbin/ctdbd', []);
    if (status !== 0) throw new Error(`ctdbd on node ${this.pnn} ended with ${String(status)}: ${stderr}`);
  }

  /** Every process on the node but its init; zombies only when asked for. */
  processes(withZombies = false): NodeProcess[] {
    return readdirSync('/proc').flatMap((name) => {
      if (!/^\d+$/.test(name)) return [];
      const pid = Number(name);
      try {
        if (readlinkSync(`/proc/${pid}/ns/pid`) !== this.#pidNamespace) return [];
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').join(' ').trim();
        const title = /^Name:\s*(.*)$/m.exec(status)?.[1] ?? '';
        const parentPid = Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1]);
        if (pid === this.#initPid || command === 'sleep infinity') return [];
        if (command === '' && !withZombies) return [];
        return [{ pid, parentPid, title, command }];
      } catch {
        return []; // it has ended meanwhile
      }
    });
  }

  /** ctdbd itself. */
  ctdbd(): NodeProcess | undefined {
    const all = this.processes();
    return all.find((one) => one.title === 'ctdbd' && !all.some((other) => other.pid === one.parentPid));
  }

  recoverd(): NodeProcess | undefined {
    return this.processes().find(({ title }) => title === 'ctdb_recoverd');
  }

  /** Every running helper of the lock, whichever kind; not its watchdog. */
  helpers(): NodeProcess[] {
    const [helper] = this.plan.clusterLock.replace(/^!/, '').split(' ');
    const program = this.plan.clusterLock.startsWith('!') ? (helper ?? '') : 'ctdb_mutex_fcntl_helper';
    return this.processes().filter(
      ({ command, title }) => command.includes(program) && !title.startsWith('ctdbd') && title !== 'bash',
    );
  }

  /** The helper that holds the lock for recoverd; only while no recovery is under way for certain. */
  holder(): NodeProcess | undefined {
    const parent = this.recoverd()?.pid;
    return this.helpers().find(({ parentPid }) => parentPid === parent);
  }

  /** SIGKILL for every process on the node but its init. */
  killEverything(): void {
    // ctdbd first, or it would log the deaths of its children.
    const all = this.processes();
    for (const { pid } of all) sendSignal(pid, 'SIGSTOP');
    for (const { pid } of this.processes()) sendSignal(pid, 'SIGKILL');
  }

  /** Processes that have ended and that nobody has waited for, by title. */
  zombies(): string[] {
    return this.processes(true)
      .filter(({ pid }) => processState(pid) === 'Z')
      .map(({ title }) => title);
  }
}

/** Sends a signal to a process that may be gone. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
