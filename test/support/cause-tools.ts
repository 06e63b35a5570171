import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Authority } from './certificates.ts';
import type { CertificateFiles, CertificateWishes } from './certificates.ts';
import type { DnsServer } from './dns-server.ts';
import { EtcdCluster, type ClusterOptions, type EtcdctlOptions } from './etcd-cluster.ts';
import type { EtcdRelease } from './etcd-programs.ts';
import type { Settings } from './lock-bench.ts';
import { inOwnMounts, inOwnNetwork, withOwnFile } from './namespaces.ts';

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
  /** What `check` says, where it has other words. */
  readonly checkSays?: RegExp;
  /** The endpoint that the line names, where that is not `hosts` itself. */
  readonly endpoint?: string;
  /** What the line begins with, where it is not about an endpoint. */
  readonly begins?: 'Cannot read config' | 'Cannot find etcd: ' | 'Config' | 'File' | 'etcd granted';
  /** In front of the helper's parent. */
  readonly wrap?: (tools: CauseTools) => readonly string[];
  /** Makes it so, and resolves to the settings of a helper that meets it. */
  readonly provoke: (tools: CauseTools) => Promise<Settings>;
}

export function etcd(tools: CauseTools, options: Omit<ClusterOptions, 'release'> = {}): Promise<EtcdCluster> {
  return EtcdCluster.start({ release: tools.release, ...options }).then((cluster) =>
    tools.stack.use(cluster),
  );
}

/** A member with TLS, and what a helper has to know of it. */
export async function etcdWithTls(
  tools: CauseTools,
  wishes: CertificateWishes = {},
  options: Omit<ClusterOptions, 'release' | 'tls'> & { readonly clientCertAuth?: boolean } = {},
): Promise<{ readonly cluster: EtcdCluster; readonly settings: Settings }> {
  return etcdWithFiles(tools, await tools.authority.issue(wishes), options);
}

/** A member with TLS and a certificate of whatever kind. */
export async function etcdWithFiles(
  tools: CauseTools,
  files: CertificateFiles,
  options: Omit<ClusterOptions, 'release' | 'tls'> & { readonly clientCertAuth?: boolean } = {},
): Promise<{ readonly cluster: EtcdCluster; readonly settings: Settings }> {
  const { authority } = tools;
  const { clientCertAuth = false, ...others } = options;
  const cluster = await etcd(tools, {
    tls: { caFile: authority.certFile, ...files, clientCertAuth },
    ...others,
  });
  return { cluster, settings: { hosts: cluster.hosts, protocol: 'https', ca_cert: authority.certFile } };
}

export async function listen(tools: CauseTools, server: Server): Promise<Settings> {
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

/** Runs `etcdctl` where the check of a password can take seconds; its own login counts as a part of the dial. */
export function patiently(
  cluster: EtcdCluster,
  args: readonly string[],
  options: EtcdctlOptions = {},
): Promise<string> {
  const patience = ['--dial-timeout=60s', '--command-timeout=60s'];
  return cluster.etcdctl([...args, ...patience], { ...options, limitMs: 60_000 });
}

/** Makes users, and switches logins on. */
export async function addLogins(cluster: EtcdCluster, administrator?: CertificateFiles): Promise<void> {
  const commands = [
    'user add root:rootpw',
    'user grant-role root root',
    'role add ctdb',
    'user add samba:sambapw',
    'user grant-role samba ctdb',
    'auth enable',
  ];
  for (const command of commands) await patiently(cluster, command.split(' '), administrator);
}

/** A cluster with users, `samba` among them, who may do nothing yet. */
export async function etcdWithLogins(tools: CauseTools): Promise<EtcdCluster> {
  const cluster = await etcd(tools);
  await addLogins(cluster);
  return cluster;
}

/** A host whose names come from files only. */
export const withoutDns = (): string[] => inOwnNetwork(withOwnFile('/etc/nsswitch.conf', 'hosts: files'));

/** A host whose name server is the test's own, for SRV records only: the C library asks port 53 alone. */
export const withDns = ({ dns }: CauseTools): string[] =>
  inOwnMounts(withOwnFile('/etc/resolv.conf', `nameserver 127.0.0.1:${dns.port}`));

/** A host whose questions to its name server are swallowed. */
export const withSilentDns = (): string[] =>
  inOwnNetwork(
    [
      'ip link set lo up',
      'iptables --append INPUT --protocol udp --dport 53 --jump DROP',
      withOwnFile('/etc/resolv.conf', 'nameserver 127.0.0.1'),
    ].join(' && '),
  );

/** A host whose name server is not there. */
export const withDeadDns = (): string[] =>
  inOwnNetwork(withOwnFile('/etc/resolv.conf', 'nameserver 127.0.0.1'));

export const LOGIN = { username: 'samba', password: 'sambapw' };
