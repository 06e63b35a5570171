import type { ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import { Cable, makeHub, removeHub } from '../ctdb/support/hub.ts';
import { CtdbNode } from '../ctdb/support/node.ts';
import { etcdProgram } from '../support/etcd-cluster.ts';
import { pageBlocks } from '../support/page-blocks.ts';
import { run, runChecked, spawnTied, temporaryDirectory } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { Root } from './root.ts';

const MEMBERS = [1, 2, 3] as const;
const HOSTS = MEMBERS.map((i) => `192.0.2.1${i} etcd${i}.example.com etcd${i}\n`).join('');
const RELEASE = '3.5-forky';
const SUBNET = '10.66.1';
/**
 * The one member whose database can be filled. Each member over its quota raises an alarm of its own, in a race with the alarm
 * that ends the filling: with one quota there is one alarm.
 */
const SMALL_MEMBER = 1;
const SMALL_QUOTA = 16_777_216;

/** What a page says of etcd1, said of member `i`. */
const forMember = (text: string, i: number): string =>
  text.replaceAll('etcd1', `etcd${i}`).replaceAll('192.0.2.11', `192.0.2.1${i}`);

/** How the members are made: by docs/tls-and-auth.md, or by the command of docs/running-etcd.md, with API v2 besides. */
type Way = 'with TLS' | 'by hand';

/** How a member is started. */
interface Start {
  readonly variables: readonly (readonly [string, string])[];
  readonly command: string;
}

/** The machine that keeps the authority, three members of etcd and some nodes, all as the pages of docs/ have them. */
export class Site implements AsyncDisposable {
  /** Where the administrator's certificates and passwords are. */
  readonly directory: string;
  readonly #root: Root;
  readonly #way: Way;
  readonly #members = new Map<number, ChildProcess>();
  readonly #nodes: CtdbNode[] = [];
  #shared = '';
  #cables = 0;

  private constructor(directory: string, root: Root, way: Way) {
    this.directory = directory;
    this.#root = root;
    this.#way = way;
  }

  /** The names and addresses of the page, and a Debian system with ctdb in it, not yet with the package. */
  static async make(way: Way = 'with TLS'): Promise<Site> {
    await makeHub();
    await runChecked('ip', ['address', 'add', '192.0.2.1/24', 'dev', 'hub']);
    const directory = await temporaryDirectory('site');
    writeFileSync(join(directory, 'hosts'), `127.0.0.1 localhost\n${HOSTS}`);
    await runChecked('mount', ['--bind', join(directory, 'hosts'), '/etc/hosts']);
    const site = new Site(directory, Root.make('bookworm', 'ctdb'), way);
    writeFileSync(join(site.#root.path, 'etc/hosts'), readFileSync(join(directory, 'hosts')));
    site.#shared = join(directory, 'shared');
    mkdirSync(site.#shared);
    return site;
  }

  get root(): Root {
    return this.#root;
  }

  /** The blocks of commands of docs/tls-and-auth.md. */
  get recipes(): readonly string[] {
    return pageBlocks('tls-and-auth.md', 'sh run');
  }

  /** Runs commands where the authority is, with the page's own variables for etcdctl. */
  async admin(script: string): Promise<string> {
    const [, users = ''] = this.recipes;
    const withTls = users.split('\n').filter((line) => line.startsWith('export '));
    const exports =
      this.#way === 'with TLS'
        ? withTls
        : withTls.map((line) => line.replace(/ ETCDCTL_CACERT=\S+/, '').replaceAll('https:', 'http:'));
    const asRoot = 'if [ -e auth-is-on ]; then export ETCDCTL_USER="root:$(cat root-password)"; fi';
    const path = `${dirname(etcdProgram(RELEASE, 'etcdctl'))}:${process.env['PATH'] ?? ''}`;
    return runChecked('bash', ['-euo', 'pipefail', '-c', [...exports, asRoot, script].join('\n')], {
      cwd: this.directory,
      env: { ...process.env, PATH: path },
      limitMs: 60_000,
    });
  }

  /** Starts these members, or all, as the page says. */
  async startMembers(which: readonly number[] = MEMBERS): Promise<void> {
    for (const i of which) await this.#startMember(i);
    await waitFor(
      'the members are healthy',
      () =>
        this.admin('etcdctl endpoint health').then(
          () => true,
          () => false,
        ),
      { withinMs: 60_000, everyMs: 250 },
    );
  }

  async #startMember(i: number): Promise<void> {
    const { variables, command } = this.#way === 'with TLS' ? this.#recipeOf(i) : this.#commandOf(i);
    const log = openSync(join(this.directory, `etcd${i}.log`), 'a');
    // A network of its own, as on a machine of its own: etcd compares where a peer comes from with its certificate.
    const child = spawnTied('unshare', ['--net', 'bash', '-c', `read -r\nexec ${command}`], {
      env: {
        PATH: `${dirname(etcdProgram(RELEASE, 'etcd'))}:${process.env['PATH'] ?? ''}`,
        ...Object.fromEntries(variables),
      },
      stdio: ['pipe', log, log],
    });
    this.#members.set(i, child);
    await this.#plug(child, `192.0.2.1${i}`);
    child.stdin?.write('\n');
  }

  /** The variables of docs/tls-and-auth.md, for member `i`. */
  #recipeOf(i: number): Start {
    const [block = ''] = pageBlocks('tls-and-auth.md', 'ini member');
    const text = block
      .replace(
        /^(ETCD_(?:NAME|LISTEN|ADVERTISE|INITIAL_ADVERTISE|CERT|KEY|PEER_CERT|PEER_KEY).*)$/gm,
        (line) => forMember(line, i),
      )
      .replaceAll('/etc/etcd/', `${this.directory}/`)
      .replace('/var/lib/etcd/ctdb', `${this.directory}/data${i}`);
    const quota = i === SMALL_MEMBER ? `ETCD_QUOTA_BACKEND_BYTES=${SMALL_QUOTA}` : '';
    const variables = `${text}${quota}`.split('\n').flatMap((line): [string, string][] => {
      const at = line.indexOf('=');
      return at === -1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    });
    return { variables, command: 'etcd' };
  }

  /** The command of docs/running-etcd.md, for member `i`. */
  #commandOf(i: number): Start {
    const [block = ''] = pageBlocks('running-etcd.md', 'sh member');
    const command = block
      .trimEnd()
      .replace(/--(?:name|listen|advertise|initial-advertise)\S*/g, (option) => forMember(option, i))
      .replace('/var/lib/etcd', `${this.directory}/data${i}`);
    const quota = i === SMALL_MEMBER ? ` --quota-backend-bytes=${SMALL_QUOTA}` : '';
    return { variables: [], command: `${command} --enable-v2${quota}` };
  }

  /** The commands of docs/operations.md that restore the data of member `i`. */
  restoreCommand(i: number): string {
    const [block = ''] = pageBlocks('operations.md', 'sh restore');
    return block
      .replace(/--(?:name|initial-advertise)\S*/g, (option) => forMember(option, i))
      .replaceAll('/var/lib/etcd', `${this.directory}/data${i}`);
  }

  async #plug({ pid = 0 }: ChildProcess, address: string): Promise<void> {
    const ours = readlinkSync('/proc/self/ns/net');
    await waitFor('it has a network of its own', () => readlinkSync(`/proc/${pid}/ns/net`) !== ours);
    this.#cables += 1;
    await Cable.plug(`member${this.#cables}`, pid, address);
    const route = ['ip', 'route', 'add', '10.66.0.0/16', 'dev', 'eth0'];
    await runChecked('nsenter', ['--target', String(pid), '--net', ...route]);
  }

  async stopMember(i: number): Promise<void> {
    const child = this.#members.get(i);
    if (child === undefined) throw new Error(`Member ${i} does not run`);
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
  }

  /** A node with the root file system as it is now, and a ctdb.conf that sets no cluster lock. */
  async bootNode(pnn: number, of: number): Promise<CtdbNode> {
    const directory = join(this.directory, `node${pnn}`);
    mkdirSync(directory);
    const node = await CtdbNode.boot({
      release: 'bookworm',
      root: this.#root.path,
      pnn,
      addresses: Array.from({ length: of }, (_, index) => `${SUBNET}.${index + 1}`),
      directory,
      shared: this.#shared,
      clusterLock: '!/usr/libexec/ctdb/ctdb_etcd_lock',
      etcdConfig: undefined,
      binary: undefined,
      cable: `site${pnn}`,
    });
    this.#nodes.push(node);
    writeFileSync(join(directory, 'smb.conf'), '[global]\n  netbios name = FILES\n  clustering = yes\n');
    writeFileSync(
      join(directory, 'etc/ctdb.conf'),
      '[logging]\n  location = file:/var/log/ctdb/log.ctdb\n[cluster]\n  # no cluster lock yet\n',
    );
    const { status, stderr } = await node.run('/usr/sbin/ip', [
      'route',
      'add',
      '192.0.2.0/24',
      'dev',
      'eth0',
    ]);
    if (status !== 0) throw new Error(stderr);
    return node;
  }

  /** Runs commands on a node, and resolves to what they wrote and to their status. */
  async onNode(
    node: CtdbNode,
    script: string,
  ): Promise<{ readonly status: number | null; readonly output: string }> {
    const { status, stdout, stderr } = await node.run('/bin/bash', ['-o', 'pipefail', '-c', script], 60_000);
    return { status, output: stdout + stderr };
  }

  /** Resolves when CTDB runs on `nodes`, which are all, and the first of them says that all are OK. */
  async allOk(
    nodes: readonly CtdbNode[],
    isMore = (): Promise<boolean> => Promise.resolve(true),
  ): Promise<void> {
    const [first] = nodes;
    if (first === undefined) throw new Error('There are no nodes');
    await waitFor(
      'all nodes are OK',
      async () => {
        const { output } = await this.onNode(first, 'ctdb -T 5 status');
        const isOk =
          output.match(/^pnn:\d \S+ +OK/gm)?.length === nodes.length &&
          output.includes('Recovery mode:NORMAL');
        return isOk && (await isMore());
      },
      { withinMs: 150_000, everyMs: 500 },
    );
  }

  /** Copies a file of the administrator's to a node. */
  copy(file: string, node: CtdbNode, path: string, mode: number): void {
    const target = join(node.plan.directory, path.replace('/etc/ctdb/', 'etc/'));
    writeFileSync(target, readFileSync(join(this.directory, file)), { mode });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.powerOff()));
    for (const child of this.#members.values()) child.kill('SIGKILL');
    await run('umount', ['/etc/hosts']);
    await this.#root[Symbol.asyncDispose]();
    await removeHub();
  }
}
