import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  addLogins,
  etcd,
  etcdWithLogins,
  etcdWithTls,
  LOGIN,
  patiently,
  type Cause,
  type CauseTools,
} from './cause-tools.ts';
import type { Settings } from './lock-bench.ts';

async function withPasswordFile(
  tools: CauseTools,
  name: string,
  content: string | Buffer,
): Promise<Settings> {
  const passwordFile = join(tools.directory, `password-${name}`);
  await writeFile(passwordFile, content, { mode: 0o600 });
  return { hosts: (await etcdWithLogins(tools)).hosts, username: 'samba', password_file: passwordFile };
}

/** A client certificate in place of a login, at a member with logins switched on. */
async function withCertificateFor(
  tools: CauseTools,
  commonName: string,
  args: readonly string[],
): Promise<Settings> {
  const { cluster, settings } = await etcdWithTls(
    tools,
    {},
    { args: [...args, `--trusted-ca-file=${tools.authority.certFile}`] },
  );
  const administrator = await tools.authority.issue({ commonName: 'root' });
  await addLogins(cluster, administrator);
  const { certFile, keyFile } = await tools.authority.issue({ commonName });
  return { ...settings, cert: certFile, key: keyFile };
}

/** What can be wrong with logins. */
export const LOGIN_CAUSES: readonly Cause[] = [
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
    group: 'Logins',
    what: 'password_file is UTF-16',
    said: /cannot read password_file ".*": it is UTF-16 text; convert it to UTF-8: t=\$\(iconv -f UTF-16 -t UTF-8 /,
    provoke: (tools) => withPasswordFile(tools, 'utf-16', Buffer.from('\ufeffsambapw\r\n', 'utf16le')),
  },
  {
    group: 'Logins',
    what: 'password_file is in an old encoding',
    said: /cannot read password_file ".*": it is not UTF-8; convert it to UTF-8: t=\$\(iconv -f LATIN1 -t UTF-8 /,
    provoke: (tools) => withPasswordFile(tools, 'latin1', Buffer.from('pässwort\n', 'latin1')),
  },
  {
    group: 'Logins',
    what: 'password_file has a zero byte',
    said: /cannot read password_file ".*": its first line has U\+0000 \(a control character\); write the password into it as UTF-8 text$/,
    provoke: (tools) => withPasswordFile(tools, 'zero', 'sambapw\0\n'),
  },
  {
    group: 'Logins',
    what: 'password_file is empty',
    said: /cannot read password_file ".*": its first line is empty; write the password into it$/,
    provoke: (tools) => withPasswordFile(tools, 'empty', '\n'),
  },
  {
    group: 'Logins',
    what: 'the CN of the client certificate is no etcd user',
    said: /permission denied to "stranger", the CN of cert ".*", on \/_locks\/_ctdb\/ERRORS\/; if etcd has no such user, create it \(etcdctl user add stranger --no-password\); give it a role \(etcdctl user grant-role stranger ROLE\), and grant /,
    provoke: (tools) => withCertificateFor(tools, 'stranger', ['--client-cert-auth']),
  },
  {
    group: 'Logins',
    what: 'the client certificate has no CN',
    said: /the member wants a login, and cert ".*" names no user: it has no CN; reissue it with an etcd user as CN, or set username and password_file$/,
    provoke: (tools) => withCertificateFor(tools, '', ['--client-cert-auth']),
  },
  {
    group: 'Logins',
    what: 'the member does not look at the CN of client certificates',
    said: /the member wants a login, and does not accept the CN of cert ".*" \("samba"\) as one; start etcd with --client-cert-auth and --trusted-ca-file, or /,
    provoke: (tools) => withCertificateFor(tools, 'samba', []),
  },
  {
    group: 'Logins',
    what: 'the member needs longer to check the password than there is time',
    said: /no answer to the login within 3\.\d s; check the load of the member and its --bcrypt-cost, and set the password again after you lower the cost$/,
    provoke: async (tools) => {
      // Some 9 s on the machine that this was written on.
      const cluster = await etcd(tools, { args: ['--bcrypt-cost=17'] });
      await cluster.etcdctl(['user', 'add', 'root', '--no-password']);
      await cluster.etcdctl(['user', 'grant-role', 'root', 'root']);
      await patiently(cluster, ['user', 'add', 'samba:sambapw']);
      await cluster.etcdctl(['auth', 'enable']);
      return { ...LOGIN, hosts: cluster.hosts };
    },
  },
];
