import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { releaseThatTakes } from '../support/etcd-programs.ts';
import { ctdbEnvironment, type Helper, type MutexParent } from '../support/mutex-parent.ts';
import { RUNTIME_FLAGS } from '../../packaging/build/flags.ts';
import type { Stage } from './stage.ts';

export const IDS = [
  'ours',
  'previous',
  'testparm',
  'python',
  'minimal',
  'etcdctl',
  'fcntl',
  'node',
  'floor',
] as const;
export type Id = (typeof IDS)[number];

/** A lock of a contestant: all rounds take the same one, and another is held while others are refused. */
export type LockName = 'free' | 'taken';

/** What one contestant runs for a lock, inside the stage's root. */
interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

/** Something that is measured: a program that says with its first byte that it has what it came for. */
export interface Contestant {
  readonly id: Id;
  readonly title: string;
  readonly colour: string;
  /** Its own member of etcd, so that whatever that counts is its doing. */
  readonly etcd: EtcdCluster | undefined;
  /** The root in which it runs, if not the stage's first. */
  readonly root?: string;
  /** What it prints first when the lock is held by another; undefined when it waits, or when it is not a lock. */
  readonly refusal: string | undefined;
  command(lock: LockName): Command;
  /** How many keys there are in its etcd. */
  countKeys?(): Promise<number>;
}

const PRINT_AND_STAY = `require('fs').writeSync(1,'0');setInterval(()=>{},1e9)`;

/** One member, with API v2, for the helper in Python; the others get the same. */
export function startEtcd(): Promise<EtcdCluster> {
  return EtcdCluster.start({
    release: releaseThatTakes('--enable-v2'),
    args: ['--enable-v2'],
    onDisk: true,
  });
}

/** Writes a config file and returns the CTDB_BASE, as seen on the stage, that leads to it. */
export function writeConfig(
  stage: Stage,
  name: string,
  settings: Readonly<Record<string, string | number>>,
): string {
  mkdirSync(join(stage.files, name), { recursive: true });
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`);
  writeFileSync(join(stage.files, name, 'etcd'), lines.join(''));
  return `/shared/files/${name}`;
}

/** What CTDB gives its helpers, with a stand-in for `ctdb`. */
export function helperEnvironment(ctdbBase: string): Record<string, string> {
  const env = ctdbEnvironment(ctdbBase);
  return { ...env, PATH: `/shared/bin:${env['PATH'] ?? ''}` };
}

/** Where `--previous` puts an earlier build of the helper, below dist/. */
export const PREVIOUS = 'bench/previous';

async function makeOurs(stage: Stage, id: 'ours' | 'previous' | 'testparm'): Promise<Contestant> {
  const etcd = await startEtcd();
  // Both have a lock named by testparm or by us in the same place; locks_dir tells the locks apart.
  const base = (lock: LockName): string =>
    writeConfig(stage, `${id}-${lock}`, {
      hosts: etcd.hosts,
      locks_dir: `_${lock}`,
      ...(id === 'testparm' ? {} : { netbios_name: 'BENCH' }),
    });
  const bases = { free: base('free'), taken: base('taken') };
  const program = `/shared/dist/${id === 'previous' ? PREVIOUS : 'ctdb_etcd_lock'}`;
  return {
    id,
    title: {
      ours: 'ctdb_etcd_lock',
      previous: 'ctdb_etcd_lock, earlier build',
      testparm: 'ctdb_etcd_lock, name from testparm',
    }[id],
    colour: { ours: '#1f77b4', previous: '#17becf', testparm: '#6baed6' }[id],
    etcd,
    refusal: '1',
    command: (lock) => ({ argv: [program], env: helperEnvironment(bases[lock]) }),
    countKeys: async () => (await etcd.keys('/')).length,
  };
}

async function makePython(stage: Stage, id: 'python' | 'minimal'): Promise<Contestant> {
  const etcd = await startEtcd();
  const { address, clientPort } = etcd.member(0);
  const base = (lock: LockName): string =>
    writeConfig(stage, `${id}-${lock}`, { host: address, port: clientPort, locks_dir: `_${lock}` });
  const bases = { free: base('free'), taken: base('taken') };
  return {
    id,
    title: id === 'python' ? 'Python helper' : 'Python helper, bare minimum',
    colour: id === 'python' ? '#d62728' : '#fb6a4a',
    etcd,
    root: id === 'python' ? stage.root : stage.minimalRoot,
    refusal: '1',
    command: (lock) => ({ argv: ['/usr/libexec/ctdb/ctdb_etcd_lock'], env: helperEnvironment(bases[lock]) }),
    async countKeys() {
      const answer = await fetch(`http://${address}:${clientPort}/v2/keys/_locks?recursive=true`);
      // A directory has no value.
      return (await answer.text()).split('"value":').length - 1;
    },
  };
}

async function makeEtcdctl(): Promise<Contestant> {
  const etcd = await startEtcd();
  return {
    id: 'etcdctl',
    title: 'etcdctl lock',
    colour: '#2ca02c',
    etcd,
    refusal: undefined,
    command: (lock) => ({
      argv: ['/shared/etcd/etcdctl', `--endpoints=${etcd.hosts}`, 'lock', `/${lock}`],
      env: { ETCDCTL_API: '3', PATH: '/usr/bin:/bin' },
    }),
  };
}

const FCNTL: Contestant = {
  id: 'fcntl',
  title: 'fcntl helper, local file',
  colour: '#7f7f7f',
  etcd: undefined,
  refusal: '1',
  command: (lock) => ({
    argv: ['/usr/libexec/ctdb/ctdb_mutex_fcntl_helper', `/shared/files/${lock}.lock`],
    env: helperEnvironment('/etc/ctdb'),
  }),
};

/** The runtime as its makers ship it, and as we do, on a script that writes one byte and stays. */
function runtime(id: 'node' | 'floor', script: string): Contestant {
  return {
    id,
    title: id === 'node' ? 'bare runtime' : 'bare runtime, as packed',
    colour: id === 'node' ? '#9467bd' : '#c5b0d5',
    etcd: undefined,
    refusal: undefined,
    command: () => ({
      argv:
        id === 'node' ? ['/shared/node/node', script] : ['/shared/dist/bench/base', ...RUNTIME_FLAGS, script],
      env: { PATH: '/usr/bin:/bin' },
    }),
  };
}

/** All that are named in `wanted`, with etcd running. */
export async function makeContestants(stage: Stage, wanted: readonly string[]): Promise<Contestant[]> {
  const script = '/shared/files/empty.cjs';
  writeFileSync(join(stage.files, 'empty.cjs'), PRINT_AND_STAY);
  const makers: Readonly<Record<Id, () => Promise<Contestant> | Contestant>> = {
    ours: () => makeOurs(stage, 'ours'),
    previous: () => makeOurs(stage, 'previous'),
    testparm: () => makeOurs(stage, 'testparm'),
    python: () => makePython(stage, 'python'),
    minimal: () => makePython(stage, 'minimal'),
    etcdctl: makeEtcdctl,
    fcntl: () => FCNTL,
    node: () => runtime('node', script),
    floor: () => runtime('floor', script),
  };
  const made: Contestant[] = [];
  for (const id of IDS) if (wanted.includes(id)) made.push(await makers[id]());
  return made;
}

/** Runs a contestant on one of its locks; resolves once it was forked. */
export function runContestant(
  parent: MutexParent,
  stage: Stage,
  contestant: Contestant,
  lock: LockName,
  autoTerm = false,
): Promise<Helper> {
  const { argv, env } = contestant.command(lock);
  const [program, ...args] = argv;
  return parent.run({ program, args, env, root: contestant.root ?? stage.root, autoTerm });
}

/** Runs a contestant until it holds. */
export async function holdContestant(
  parent: MutexParent,
  stage: Stage,
  contestant: Contestant,
  lock: LockName,
): Promise<Helper> {
  const helper = await runContestant(parent, stage, contestant, lock);
  const answer = await helper.answer(30_000);
  if (answer === '' || answer === contestant.refusal || answer === '3') {
    throw new Error(`${contestant.title} does not hold its lock: it answered "${answer}"; ${helper.stderr}`);
  }
  return helper;
}
