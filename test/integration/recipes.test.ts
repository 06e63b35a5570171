// The recipes of docs/tls-and-auth.md, run as they stand there.
import assert from 'node:assert/strict';
import { chmod, copyFile, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { runAdmin } from '../support/admin-command.ts';
import { EtcdCluster, etcdProgram } from '../support/etcd-cluster.ts';
import { LATEST_RELEASE } from '../support/etcd-programs.ts';
import { runChecked, temporaryDirectory } from '../support/processes.ts';

const PAGE = new URL('../../docs/tls-and-auth.md', import.meta.url);

// The quickest check of a password: check warns of a slow login, which a busy machine makes of the default cost.
const QUICK_LOGINS = ['--bcrypt-cost=4'];

let directory: string;
let page: string;
const clusters: EtcdCluster[] = [];

/** The blocks of one kind, in the order of the page. */
function blocks(kind: string): string[] {
  return [...page.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].flatMap(([, info, text]) =>
    info === kind && text !== undefined ? [text] : [],
  );
}

/** Puts the addresses of the test in the place of the examples. */
function here(text: string, cluster?: EtcdCluster): string {
  const endpoint = (index: number): string => cluster?.member(index).endpoint ?? '';
  return text
    .replaceAll('IP:192.0.2.1$i', 'IP:127.0.0.1')
    .replaceAll(
      /https:\/\/etcd([123])\.example\.com:2379/g,
      (_, i: string) => `https://${endpoint(Number(i) - 1)}`,
    )
    .replaceAll(/(?<=[ ,])etcd([123])\.example\.com(?=[,\n])/g, (_, i: string) => endpoint(Number(i) - 1))
    .replaceAll('/etc/ctdb/', `${directory}/`);
}

function shell(script: string): Promise<string> {
  const path = `${dirname(etcdProgram('3.5-forky', 'etcdctl'))}:${process.env['PATH'] ?? ''}`;
  return runChecked('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: directory,
    env: { ...process.env, PATH: path },
  });
}

async function checkWith(config: string, cluster: EtcdCluster): Promise<void> {
  const file = join(directory, 'etcd');
  await writeFile(file, here(config, cluster));
  const { status, stdout, stderr } = await runAdmin(['check', '-c', file], { PATH: '/usr/bin:/bin' });
  assert.equal(stderr, '');
  assert.equal(status, 0, stdout);
  assert.match(stdout, /^ok {7}permission +may take a lease/m);
}

before(async () => {
  directory = await temporaryDirectory('recipes');
  page = await readFile(PAGE, 'utf8');
});
after(async () => {
  await Promise.all(clusters.map((cluster) => cluster.stop()));
});

test('the recipes make an etcd with TLS and logins on which check finds nothing', async () => {
  const [authority = '', users = '', look = '', client = ''] = blocks('sh run');
  const [, withPassword = '', withCertificate = ''] = blocks('ini');
  await shell(here(authority));
  await copyFile(join(directory, 'ca.pem'), join(directory, 'etcd-ca.pem'));
  const [caFile, certFile, keyFile] = ['ca.pem', 'etcd1.pem', 'etcd1-key.pem'].map((name) =>
    join(directory, name),
  );
  const tls = { caFile: caFile ?? '', certFile: certFile ?? '', keyFile: keyFile ?? '' };
  const cluster = await EtcdCluster.start({ release: LATEST_RELEASE, members: 3, tls, args: QUICK_LOGINS });
  clusters.push(cluster);

  await shell(here(`${users}\n${look}`, cluster));
  await copyFile(join(directory, 'ctdb-password'), join(directory, 'etcd-password'));
  await chmod(join(directory, 'etcd-password'), 0o600);
  await checkWith(withPassword, cluster);

  // The function of the first block is needed again, without making a new authority.
  const certify = /^certify\(\)[\s\S]*?^\}$/m.exec(authority)?.[0] ?? '';
  await shell(here(`${certify}\n${client}`));
  await copyFile(join(directory, 'ctdb.pem'), join(directory, 'etcd-client.pem'));
  await copyFile(join(directory, 'ctdb-key.pem'), join(directory, 'etcd-client-key.pem'));
  await chmod(join(directory, 'etcd-client-key.pem'), 0o600);
  const strict = await EtcdCluster.start({
    release: LATEST_RELEASE,
    members: 3,
    tls: { ...tls, clientCertAuth: true },
  });
  clusters.push(strict);
  const asClient = `export ETCDCTL_CERT=ctdb.pem ETCDCTL_KEY=ctdb-key.pem\n`;
  await shell(here(`${asClient}${users}`, strict));
  await checkWith(withCertificate, strict);
});
