// What docs/containers.md says, with podman and runc: two nodes of CTDB in containers on the network of this test.
import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CHECKOUT } from '../../package/root.ts';
import { EtcdCluster } from '../../support/etcd-cluster.ts';
import { pageBlocks } from '../../support/page-blocks.ts';
import { run, runChecked, temporaryDirectory } from '../../support/processes.ts';
import { waitFor } from '../../support/wait.ts';

const LIMIT_MS = 120_000;
const LOCK = '/_locks/_ctdb/PODS/';
// ctdbd notices the loss of a node after 5 s at most here, the lease ends after 9 s, and the machine is busy.
const TAKE_OVER = { withinMs: 60_000, everyMs: 200 };
// A machine that gives its processes less refuses podman's own limits.
const ULIMITS = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1000:1000'];

const [containerfile, ctdbConf, command] = ['dockerfile recipe', 'ini recipe', 'sh recipe'].map(
  (info) => pageBlocks('containers.md', info)[0] ?? '',
) as [string, string, string];

void describe('CTDB in containers, as docs/containers.md has it', () => {
  let folder: string;
  let etcd: EtcdCluster;
  const podman = (...args: readonly string[]): Promise<string> =>
    runChecked('podman', [...storage(), ...args], { limitMs: LIMIT_MS });
  const storage = (): string[] => [
    ...['--root', join(folder, 'storage'), '--runroot', join(folder, 'run')],
    ...['--runtime', 'runc', '--cgroup-manager', 'cgroupfs'],
  ];
  const nodes = [1, 2].map((number) => ({ name: `ctdb${number}`, address: `127.0.1.${number}` }));

  before(async () => {
    folder = await temporaryDirectory('podman');
    etcd = await EtcdCluster.start();
    const root = join(CHECKOUT, '.cache/ctdb/bookworm');
    const tar = join(folder, 'root.tar');
    await runChecked('tar', ['-C', root, '-cf', tar, '.'], { limitMs: LIMIT_MS });
    await podman('import', '--quiet', tar, 'localhost/debian-with-ctdb');
    await copyFile(join(CHECKOUT, 'dist/ctdb_etcd_lock'), join(folder, 'ctdb_etcd_lock'));
    await writeFile(join(folder, 'etcd'), `hosts = ${etcd.hosts}\nnetbios_name = PODS\n`);
    await writeFile(join(folder, 'nodes'), nodes.map(({ address }) => `${address}\n`).join(''));
    await writeFile(join(folder, 'ctdb.conf'), ctdbConf);
    // No registry is reachable here: the root that debootstrap made is the base with its packages.
    const offline = containerfile.replace(/^FROM .*\nRUN apt-get .*$/m, 'FROM localhost/debian-with-ctdb');
    await writeFile(join(folder, 'Containerfile'), offline);
    await podman('build', '--quiet', '--isolation', 'chroot', '--tag', 'localhost/ctdb', folder);
    for (const { name, address } of nodes) {
      // Two nodes on one host: each is told its address, which ctdbd finds by itself elsewhere.
      const conf = join(folder, `${name}.conf`);
      await writeFile(conf, ctdbConf.replace('[legacy]', `    node address = ${address}\n[legacy]`));
      const words = command.trim().replace('--name ctdb', `--name ${name}`).split(' ').slice(1);
      const options = words.slice(1, -1);
      await podman(
        'run',
        '--detach',
        ...ULIMITS,
        ...options,
        '-v',
        `${conf}:/etc/ctdb/ctdb.conf:ro`,
        'localhost/ctdb',
      );
    }
  });
  after(async () => {
    await run('podman', [...storage(), 'rm', '--all', '--force', '--time', '0'], { limitMs: LIMIT_MS });
    await run('podman', [...storage(), 'rmi', '--all', '--force'], { limitMs: LIMIT_MS });
    await etcd.stop();
  });

  /** The name of the container that holds the lock; undefined while nobody does. */
  const holder = async (): Promise<string | undefined> => {
    const [key] = await etcd.keys(LOCK);
    const pnn = key === undefined ? undefined : (JSON.parse(key.value) as { pnn?: number }).pnn;
    return pnn === undefined ? undefined : nodes[pnn]?.name;
  };

  test('one node holds the lock, and CTDB is healthy there', async () => {
    const name = await waitFor('a holder', holder, TAKE_OVER);
    const healthy = async (): Promise<boolean> =>
      (await podman('exec', name, 'ctdb', 'status')).includes('OK (THIS NODE)');
    await waitFor('the node is healthy', healthy, TAKE_OVER);
    const status = await podman('exec', name, '/usr/libexec/ctdb/ctdb_etcd_lock', 'status');
    assert.match(status, /^State +held$/m);
  });

  test('a frozen helper is killed by its watchdog, and the lock is held again', async () => {
    await waitFor('a holder', holder, TAKE_OVER);
    const [before] = await etcd.keys(LOCK);
    // The recipe shares the machine's process IDs, so this is the process itself, and no other helper of the machine.
    const { pid } = JSON.parse(before?.value ?? '{}') as { pid?: number };
    assert.ok(pid !== undefined && pid > 1, before?.value);
    process.kill(pid, 'SIGSTOP');
    const isNew = async (): Promise<boolean> => {
      const [key] = await etcd.keys(LOCK);
      return key !== undefined && key.key !== before?.key;
    };
    await waitFor('another lease', isNew, TAKE_OVER);
  });

  test('when the container of the holder is killed, the other node takes the lock', async () => {
    const name = await waitFor('a holder', holder, TAKE_OVER);
    await podman('kill', '--signal', 'KILL', name);
    await waitFor('the other node', async () => ![undefined, name].includes(await holder()), TAKE_OVER);
  });
});
