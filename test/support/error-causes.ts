import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { etcd, etcdWithLogins, etcdWithTls, LOGIN, ROOT, type Cause } from './cause-tools.ts';
import { LOGIN_CAUSES } from './login-causes.ts';
import { NETWORK_CAUSES } from './network-causes.ts';
import { TLS_CAUSES } from './tls-causes.ts';

export const CAUSES: readonly Cause[] = [
  ...NETWORK_CAUSES,
  ...TLS_CAUSES,
  ...LOGIN_CAUSES,
  {
    group: 'The cluster',
    what: 'not the cluster in expected_cluster_id',
    said: /belongs to etcd cluster (0x)?[0-9a-f]+, and expected_cluster_id is deadbeef; correct hosts or expected_cluster_id$/,
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
    said: /authentication is not enabled, so anyone can change the lock; run etcdctl auth enable$/,
    checkSays: /authentication is off: anyone who reaches etcd can take the lock; run etcdctl auth enable/,
    provoke: async (tools) => ({ ...LOGIN, hosts: (await etcd(tools)).hosts }),
  },
  {
    group: 'Warnings',
    what: 'insecure_skip_verify is on',
    said: /insecure_skip_verify is on, so anyone on the network can pose as etcd; set ca_cert instead$/,
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
    said: /holds a secret, and other users can read it; run chmod 600 /,
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
    what: 'an --election-timeout of 10 s, and `lock_ttl` is 9',
    said: /etcd granted 15 s instead of lock_ttl = 9: after a death of this holder the lock is free 6 s later; lower --election-timeout of all members to 6000 or less, or set lock_ttl = 15$/,
    checkSays:
      /lock_ttl is 9 s, and etcd grants 15 s because of its --election-timeout: a dead holder is replaced within 16 s/,
    begins: 'etcd granted',
    provoke: async (tools) => {
      const args = ['--election-timeout=10000', '--heartbeat-interval=500'];
      return { hosts: (await etcd(tools, { args })).hosts, lock_ttl: 9 };
    },
  },
  {
    group: 'Warnings',
    what: 'a key that nobody knows',
    said: /: line \d: unknown key "lock_tll" is ignored, did you mean lock_ttl$/,
    checkSays: /: line \d: unknown key "lock_tll" is ignored; write lock_ttl$/,
    begins: 'Config',
    provoke: async (tools) => ({ hosts: (await etcd(tools)).hosts, lock_tll: 9 }),
  },
];
