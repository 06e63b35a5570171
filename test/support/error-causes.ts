import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Authority } from './certificates.ts';
import { encryptKey, type CertificateWishes } from './certificates.ts';
import type { DnsServer } from './dns-server.ts';
import { EtcdCluster, type ClusterOptions, type EtcdRelease } from './etcd-cluster.ts';
import { answersOfVersion, GrpcStandIn } from './grpc-stand-in.ts';
import type { Settings } from './lock-bench.ts';
import { inOwnMounts, inOwnNetwork, withOwnFile } from './namespaces.ts';
import { freePort } from './ports.ts';

export const ROOT = { user: 'root:rootpw' };

/** What all causes share, and what is started for one of them and ends with it. */
export interface CauseTools {
  readonly release: EtcdRelease;
  /** For files. */
  readonly directory: string;
  /** The one that everybody trusts, and one that nobody does. */
  readonly authority: Authority;
  readonly stranger: Authority;
  /** A name server that knows no names. */
  readonly dns: DnsServer;
  readonly stack: AsyncDisposableStack;
}

/** One thing that is wrong with etcd, with the way there, or with what the helper was told. */
export interface Cause {
  /** The section of the page. With a warning the lock is taken all the same. */
  readonly group: 'The way to etcd' | 'TLS' | 'Logins' | 'The cluster' | 'Warnings';
  readonly what: string;
  /** What the line says. */
  readonly said: RegExp;
  /** The endpoint that the line names, where that is not `hosts` itself. */
  readonly endpoint?: string;
  /** What the line begins with, where it is not about an endpoint. */
  readonly begins?: 'Cannot read config' | 'Cannot find etcd: ' | 'Config' | 'File';
  /** In front of the helper's parent. */
  readonly wrap?: (tools: CauseTools) => readonly string[];
  /** Makes it so, and resolves to the settings of a helper that meets it. */
  readonly provoke: (tools: CauseTools) => Promise<Settings>;
}

function etcd(tools: CauseTools, options: Omit<ClusterOptions, 'release'> = {}): Promise<EtcdCluster> {
  return EtcdCluster.start({ release: tools.release, ...options }).then((cluster) =>
    tools.stack.use(cluster),
  );
}

/** A member with TLS, and what a helper has to know of it. */
async function etcdWithTls(
  tools: CauseTools,
  wishes: CertificateWishes = {},
  options: Omit<ClusterOptions, 'release' | 'tls'> & { readonly clientCertAuth?: boolean } = {},
): Promise<{ readonly cluster: EtcdCluster; readonly settings: Settings }> {
  const { authority } = tools;
  const { clientCertAuth = false, ...others } = options;
  const tls = { caFile: authority.certFile, ...(await authority.issue(wishes)), clientCertAuth };
  const cluster = await etcd(tools, { tls, ...others });
  return { cluster, settings: { hosts: cluster.hosts, protocol: 'https', ca_cert: authority.certFile } };
}

async function listen(tools: CauseTools, server: Server): Promise<Settings> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  tools.stack.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { hosts: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** A cluster with users, `samba` among them, who may do nothing yet. */
async function etcdWithLogins(tools: CauseTools): Promise<EtcdCluster> {
  const cluster = await etcd(tools);
  for (const command of ['user add root:rootpw', 'user grant-role root root', 'role add ctdb']) {
    await cluster.etcdctl(command.split(' '));
  }
  await cluster.etcdctl(['user', 'add', 'samba:sambapw']);
  await cluster.etcdctl(['user', 'grant-role', 'samba', 'ctdb']);
  await cluster.etcdctl(['auth', 'enable']);
  return cluster;
}

/** A host whose names come from files only. */
const withoutDns = (): string[] => inOwnNetwork(withOwnFile('/etc/nsswitch.conf', 'hosts: files'));

/** A host whose name server is not there. */
const withDeadDns = (): string[] => inOwnNetwork(withOwnFile('/etc/resolv.conf', 'nameserver 127.0.0.1'));

const LOGIN = { username: 'samba', password: 'sambapw' };

export const CAUSES: readonly Cause[] = [
  {
    group: 'The way to etcd',
    what: 'nobody listens on the port',
    said: /connection refused; check that etcd runs there/,
    provoke: async () => ({ hosts: `127.0.0.1:${await freePort()}` }),
  },
  {
    group: 'The way to etcd',
    what: 'no route to the host',
    said: /host unreachable; check the network/,
    endpoint: '224.0.0.1:2379',
    // Multicast is no destination for TCP, on any machine.
    provoke: () => Promise.resolve({ hosts: '224.0.0.1' }),
  },
  {
    group: 'The way to etcd',
    what: 'the member is frozen, or a firewall drops packets',
    said: /no answer within \d\.\d s; check /,
    provoke: async (tools) => {
      const cluster = await etcd(tools);
      cluster.member(0).freeze();
      return { hosts: cluster.hosts };
    },
  },
  {
    group: 'The way to etcd',
    what: 'the name does not exist',
    said: /host name not found; correct hosts or DNS$/,
    endpoint: 'no-such-host.invalid:2379',
    wrap: withoutDns,
    provoke: () => Promise.resolve({ hosts: 'no-such-host.invalid' }),
  },
  {
    group: 'The way to etcd',
    what: 'the name server does not answer',
    said: /no answer from DNS about this host; check DNS on this host$/,
    endpoint: 'etcd.example.com:2379',
    wrap: withDeadDns,
    provoke: () => Promise.resolve({ hosts: 'etcd.example.com' }),
  },
  {
    group: 'The way to etcd',
    what: 'srv_domain has no records',
    said: /: srv_domain "example\.com" has no SRV records \(.*\); correct it, or set hosts instead$/,
    begins: 'Cannot find etcd: ',
    wrap: ({ dns }) => inOwnMounts(withOwnFile('/etc/resolv.conf', `nameserver 127.0.0.1:${dns.port}`)),
    provoke: () => Promise.resolve({ srv_domain: 'example.com' }),
  },
  {
    group: 'The way to etcd',
    what: 'srv_domain is set, and the name server does not answer',
    said: /: no answer from DNS about the SRV records of .* \(E[A-Z]+\); check DNS, or set hosts instead of srv_domain$/,
    begins: 'Cannot find etcd: ',
    wrap: withDeadDns,
    provoke: () => Promise.resolve({ srv_domain: 'example.com' }),
  },
  {
    group: 'The way to etcd',
    what: 'a web server has the port',
    said: /not etcd: does not speak HTTP\/2; /,
    provoke: (tools) =>
      listen(
        tools,
        createHttpServer((_, response) => response.end('welcome')),
      ),
  },
  {
    group: 'The way to etcd',
    what: 'a mail server has the port',
    said: /not etcd: does not speak HTTP\/2; /,
    provoke: (tools) =>
      listen(
        tools,
        createServer((socket) => socket.end('220 mail\r\n')),
      ),
  },
  {
    group: 'The way to etcd',
    what: 'something that hangs up has the port',
    said: /the member closed the connection before a word of HTTP\/2; if it speaks TLS, set protocol = https$/,
    provoke: (tools) =>
      listen(
        tools,
        createServer((socket) => socket.once('data', () => socket.end())),
      ),
  },
  {
    group: 'The way to etcd',
    what: 'another gRPC service has the port',
    said: /not etcd, or too old: unknown service; check that hosts and port lead to etcd 3\.3 or newer$/,
    provoke: async ({ stack }) => {
      const other = stack.use(await GrpcStandIn.start(() => ({ status: 12, text: 'unknown service' })));
      return { hosts: other.endpoint };
    },
  },
  {
    group: 'The way to etcd',
    what: 'etcd 3.2',
    said: /the member runs etcd 3\.2\.32, which is too old; use etcd 3\.3 or newer$/,
    provoke: async ({ stack }) => {
      const old = stack.use(await GrpcStandIn.start(answersOfVersion('3.2.32')));
      return { hosts: old.endpoint };
    },
  },
  {
    group: 'TLS',
    what: 'TLS to a plain port',
    said: /the member does not speak TLS; set protocol = http, or use its https port$/,
    provoke: async (tools) => ({ hosts: (await etcd(tools)).hosts, protocol: 'https' }),
  },
  {
    group: 'TLS',
    what: 'plain text to a TLS port',
    said: /the member speaks TLS; set protocol = https$/,
    provoke: async (tools) => ({ hosts: (await etcdWithTls(tools)).cluster.hosts }),
  },
  {
    group: 'TLS',
    what: 'the authority is not the one in ca_cert',
    said: /certificate is signed by an unknown authority; put the authority that signed it into ca_cert "/,
    provoke: async (tools) => ({
      ...(await etcdWithTls(tools)).settings,
      ca_cert: tools.stranger.certFile,
    }),
  },
  {
    group: 'TLS',
    what: 'the authority is not one of the system’s, and ca_cert is not set',
    said: /certificate is signed by an unknown authority; set ca_cert to the PEM file/,
    provoke: async (tools) => ({ ...(await etcdWithTls(tools)).settings, ca_cert: undefined }),
  },
  {
    group: 'TLS',
    what: 'the certificate has expired',
    said: /the member's certificate has expired; renew it, or correct this host's clock$/,
    provoke: async (tools) => (await etcdWithTls(tools, { validFromDays: -9, validToDays: -1 })).settings,
  },
  {
    group: 'TLS',
    what: 'the certificate is from the future',
    said: /the member's certificate is not yet valid; correct this host's clock, or the certificate$/,
    provoke: async (tools) => (await etcdWithTls(tools, { validFromDays: 1, validToDays: 9 })).settings,
  },
  {
    group: 'TLS',
    what: 'the certificate is for another name',
    said: /certificate is not for "127\.0\.0\.1", but for DNS:elsewhere\.example\.com; use a name from the/,
    provoke: async (tools) => (await etcdWithTls(tools, { names: ['DNS:elsewhere.example.com'] })).settings,
  },
  {
    group: 'TLS',
    what: 'the member wants a client certificate, and there is none',
    said: /the member wants a client certificate; set cert and key$/,
    provoke: async (tools) => (await etcdWithTls(tools, {}, { clientCertAuth: true })).settings,
  },
  {
    group: 'TLS',
    what: 'the client certificate is a stranger’s',
    said: /the member refused the client certificate \([a-z ]+\); make cert ".*" one that is valid and that/,
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
      const { certFile, keyFile } = await tools.stranger.issue();
      return { ...settings, cert: certFile, key: keyFile };
    },
  },
  {
    group: 'TLS',
    what: 'the client certificate has expired',
    said: /the member refused the client certificate \([a-z ]+\); make cert ".*" one that is valid and that/,
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
      const { certFile, keyFile } = await tools.authority.issue({ validFromDays: -9, validToDays: -1 });
      return { ...settings, cert: certFile, key: keyFile };
    },
  },
  {
    group: 'TLS',
    what: 'ca_cert names a file that is not there',
    begins: 'Cannot read config',
    said: /: line \d: ca_cert is ".*", want an existing file$/,
    provoke: async (tools) => ({
      ...(await etcdWithTls(tools)).settings,
      ca_cert: join(tools.directory, 'nowhere.pem'),
    }),
  },
  {
    group: 'TLS',
    what: 'key is the key of another certificate',
    said: /the private key in key ".*" does not belong to the certificate in cert ".*"; set cert and key to a pair$/,
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
      const [one, other] = [await tools.authority.issue(), await tools.authority.issue()];
      return { ...settings, cert: one.certFile, key: other.keyFile };
    },
  },
  {
    group: 'TLS',
    what: 'the password of key is wrong',
    said: /the private key in key ".*" has another password; correct the password in key_password_file$/,
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
      const { certFile, keyFile } = await tools.authority.issue();
      const key = await encryptKey(keyFile, 'keypw', join(tools.directory, 'encrypted.pem'));
      const passwordFile = join(tools.directory, 'key-password');
      await writeFile(passwordFile, 'another\n', { mode: 0o600 });
      return { ...settings, cert: certFile, key, key_password_file: passwordFile };
    },
  },
  {
    group: 'TLS',
    what: 'cert is cut off in the middle',
    said: /cert ".*" ends within a certificate; make cert a PEM file with certificates$/,
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
      const { certFile, keyFile } = await tools.authority.issue();
      const cut = join(tools.directory, 'cut-off.pem');
      await writeFile(cut, (await readFile(certFile)).subarray(0, 200));
      return { ...settings, cert: cut, key: keyFile };
    },
  },
  {
    group: 'Logins',
    what: 'wrong password',
    said: /wrong user name or password for user "samba"; correct username and password_file or password$/,
    provoke: async (tools) => ({
      ...LOGIN,
      hosts: (await etcdWithLogins(tools)).hosts,
      password: 'wrong',
    }),
  },
  {
    group: 'Logins',
    what: 'unknown user',
    said: /wrong user name or password for user "nobody"; correct username and password_file or password$/,
    provoke: async (tools) => ({
      ...LOGIN,
      hosts: (await etcdWithLogins(tools)).hosts,
      username: 'nobody',
    }),
  },
  {
    group: 'Logins',
    what: 'authentication is enabled, and no user is configured',
    said: /the member wants a login; set username and password_file, or use a client certificate/,
    provoke: async (tools) => ({ hosts: (await etcdWithLogins(tools)).hosts }),
  },
  {
    group: 'Logins',
    what: 'the user’s role does not cover the lock',
    said: /permission denied to user "samba" on \/_locks\/_ctdb\/ERRORS\/; grant read and write: etcdctl role grant/,
    provoke: async (tools) => ({ ...LOGIN, hosts: (await etcdWithLogins(tools)).hosts }),
  },
  {
    group: 'Logins',
    what: 'password_file names a file that is not there',
    begins: 'Cannot read config',
    said: /: line \d: password_file is ".*", want an existing file$/,
    provoke: async (tools) => ({
      hosts: (await etcdWithLogins(tools)).hosts,
      username: 'samba',
      password_file: join(tools.directory, 'nowhere'),
    }),
  },
  {
    group: 'The cluster',
    what: 'not the cluster in expected_cluster_id',
    said: /belongs to etcd cluster (0x)?[0-9a-f]+, not to deadbeef as expected_cluster_id says; correct hosts or expected_cluster_id$/,
    provoke: async (tools) => ({ hosts: (await etcd(tools)).hosts, expected_cluster_id: 'deadbeef' }),
  },
  {
    group: 'The cluster',
    what: 'the database is full',
    said: /etcd's database is full \(alarm NOSPACE\); compact and defragment it, then run etcdctl alarm disarm$/,
    provoke: async (tools) => {
      const cluster = await etcd(tools, { args: ['--quota-backend-bytes=1048576'] });
      for (let isFull = false; !isFull;) {
        isFull = (await cluster.tryEtcdctl(['put', '/fill', 'x'.repeat(100_000)])).status !== 0;
      }
      return { hosts: cluster.hosts };
    },
  },
  {
    group: 'The cluster',
    what: 'most members are down',
    said: /the member has no raft leader; check that most members run and reach each other$/,
    provoke: async (tools) => {
      const cluster = await etcd(tools, { members: 3 });
      await Promise.all([cluster.member(1).stop(), cluster.member(2).stop()]);
      return { hosts: cluster.member(0).endpoint };
    },
  },
  {
    group: 'Warnings',
    what: 'a user is configured, and authentication is not enabled',
    said: /authentication is not enabled, so anybody may change the lock; run etcdctl auth enable$/,
    provoke: async (tools) => ({ ...LOGIN, hosts: (await etcd(tools)).hosts }),
  },
  {
    group: 'Warnings',
    what: 'insecure_skip_verify is on',
    said: /insecure_skip_verify is on, so anybody on the network can pose as etcd; set ca_cert instead$/,
    begins: 'Config',
    provoke: async (tools) => ({
      ...(await etcdWithTls(tools)).settings,
      ca_cert: undefined,
      insecure_skip_verify: 'yes',
    }),
  },
  {
    group: 'Warnings',
    what: 'others can read a file with a secret',
    said: /holds a secret and others can read it; run chmod 600 /,
    begins: 'File',
    provoke: async (tools) => {
      const passwordFile = join(tools.directory, 'etcd-password');
      await writeFile(passwordFile, 'sambapw\n', { mode: 0o644 });
      const cluster = await etcdWithLogins(tools);
      const grant = ['role', 'grant-permission', '--prefix=true', 'ctdb', 'readwrite', '/_locks/_ctdb/'];
      await cluster.etcdctl(grant, ROOT);
      return { hosts: cluster.hosts, username: 'samba', password_file: passwordFile };
    },
  },
  {
    group: 'Warnings',
    what: 'a key that nobody knows',
    said: /: line \d: unknown key "lock_tll" is ignored, did you mean lock_ttl$/,
    begins: 'Config',
    provoke: async (tools) => ({ hosts: (await etcd(tools)).hosts, lock_tll: 9 }),
  },
];
