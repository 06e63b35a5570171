import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import type { CtdbNode } from '../ctdb/support/node.ts';
import type { Site } from './site.ts';

/** One line of `check --json` that asks for something. */
export interface Finding {
  readonly verdict: string;
  readonly area: string;
  readonly id: string;
  readonly endpoint: string;
  readonly text: string;
  readonly remedy: string;
}

/** What the administrator can reach. */
export interface Hand {
  readonly admin: (script: string) => Promise<string>;
  readonly site: Site;
  readonly node: CtdbNode;
}

/** Does what a remedy says, and resolves to what was typed. */
type Mend = (remedy: string, hand: Hand) => Promise<string>;

export interface Breakage {
  readonly what: string;
  /** A command, or something else and how it reads. */
  readonly broken: string | { readonly shown: string; readonly happen: (hand: Hand) => Promise<unknown> };
  /** Where the command is given: `node` unless said otherwise; `admin` is where etcd's administrator is. */
  readonly by?: 'node' | 'admin';
  /** What `check` says, one after the other, and what is done about it. */
  readonly steps: readonly { readonly id: string; readonly mend: Mend }[];
  /** What is not of the story. */
  readonly undo?: (hand: Hand) => unknown;
}

async function type({ site, node }: Hand, command: string): Promise<string> {
  const { status, output } = await site.onNode(node, command);
  assert.equal(status, 0, `${command}: ${output}`);
  return command;
}

/** `run COMMAND`, to the letter: etcdctl where etcd's administrator is, everything else on the node. */
const run: Mend = async (remedy, hand) => {
  const [, command] = /^(?:run |grant read and write: )(.*?)(?:, (?:once|and) .*)?$/.exec(remedy) ?? [];
  assert.ok(command !== undefined, remedy);
  // The one word that check cannot know.
  const typed = command.replace(' ROLE ', ' ctdb ');
  if (typed.startsWith('etcdctl')) await hand.admin(typed);
  else await type(hand, typed);
  return typed;
};

/** `set KEY = VALUE`, in the helper's file. */
const set: Mend = (remedy, hand) => {
  const [, key = '', value = ''] = /\bset ([a-z_ ]+) = (\S+)/.exec(remedy) ?? [];
  assert.notEqual(key, '', remedy);
  return type(hand, `echo '${key} = ${value}' >> /etc/ctdb/etcd`);
};

/** A remedy in prose, which must say `says`, and the command that does it. */
function by(says: RegExp, command: string): Mend {
  return (remedy, hand) => {
    assert.match(remedy, says);
    return type(hand, command);
  };
}

/** Copies a file of the administrator to the node, to the place that the recipe names. */
function copying(says: RegExp, file: string, path: string, mode: number): Mend {
  return async (remedy, { site, node }) => {
    assert.match(remedy, says);
    site.copy(file, node, path, mode);
    return Promise.resolve(`scp authority:${file} ${path}`);
  };
}

/** As the recipe makes it, good for `days`; etcd reads it again at each connection. */
function certificateOfEtcd2({ recipes }: Site, days: number): string {
  const certify = /^certify\(\)[\s\S]*?^\}$/m.exec(recipes[0] ?? '')?.[0] ?? '';
  const names = 'subjectAltName=DNS:etcd2.example.com,IP:192.0.2.12';
  return `${certify.replace('-days 825', `-days ${days}`)}\ncertify etcd2 "${names}\nextendedKeyUsage=serverAuth,clientAuth"`;
}

const AUTH_IS_ON = 'auth-is-on';

/** Things that go wrong, each alone. */
export const BREAKAGES: readonly Breakage[] = [
  {
    what: 'a key is misspelled',
    broken: "sed -i 's/^netbios_name/netbios_nmae/' /etc/ctdb/etcd",
    steps: [
      {
        id: 'conf-key',
        mend: async (remedy, hand) => {
          const [, word] = /^write (\w+)$/.exec(remedy) ?? assert.fail(remedy);
          return type(hand, `sed -i 's/^netbios_nmae/${word ?? ''}/' /etc/ctdb/etcd`);
        },
      },
    ],
  },
  {
    what: 'a value makes no sense',
    broken: "echo 'lock_ttl = soon' >> /etc/ctdb/etcd",
    steps: [{ id: 'conf-refused', mend: by(/^correct the file$/, "sed -i 's/= soon/= 9/' /etc/ctdb/etcd") }],
  },
  {
    what: 'everybody can read the password',
    broken: 'chmod 644 /etc/ctdb/etcd-password',
    steps: [{ id: 'warn-secret', mend: run }],
  },
  {
    what: 'the authority is another one',
    broken: {
      shown: 'cp another-authority.pem /etc/ctdb/etcd-ca.pem',
      happen: async ({ admin, site, node }) => {
        await admin(
          'openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=another -out another.pem',
        );
        site.copy('another.pem', node, '/etc/ctdb/etcd-ca.pem', 0o644);
      },
    },
    steps: [
      {
        id: 'tls-authority',
        mend: copying(
          /^put the certificate of "CN=etcd authority" into ca_cert, /,
          'ca.pem',
          '/etc/ctdb/etcd-ca.pem',
          0o644,
        ),
      },
    ],
  },
  {
    what: 'TLS was forgotten',
    broken: "sed -i '/^protocol/d; /^ca_cert/d' /etc/ctdb/etcd",
    steps: [
      { id: 'tls-no-tls', mend: set },
      {
        id: 'tls-authority',
        mend: by(
          /^set ca_cert to a PEM file with the certificate of "CN=etcd authority", /,
          "echo 'ca_cert = /etc/ctdb/etcd-ca.pem' >> /etc/ctdb/etcd",
        ),
      },
    ],
  },
  {
    what: 'hosts has names that the certificates do not have',
    broken: "sed -i '/^hosts/s/[.]example[.]com//g' /etc/ctdb/etcd",
    steps: [
      {
        id: 'tls-name',
        mend: by(
          /^use a name from the certificate in hosts, or set server_name to one$/,
          "sed -i '/^hosts/s/etcd[123]/&.example.com/g' /etc/ctdb/etcd",
        ),
      },
    ],
  },
  {
    what: "a member's certificate ends soon",
    broken: {
      shown: '(five days before the end of the certificate of etcd2)',
      happen: ({ admin, site }) => admin(certificateOfEtcd2(site, 5)),
    },
    steps: [
      {
        id: 'tls-ends',
        mend: async (remedy, { admin, site }) => {
          assert.equal(remedy, "renew the member's certificate");
          await admin(certificateOfEtcd2(site, 825));
          return 'certify etcd2 "subjectAltName=DNS:etcd2.example.com,IP:192.0.2.12..."';
        },
      },
    ],
  },
  {
    what: 'the password is wrong',
    broken: 'echo guess > /etc/ctdb/etcd-password',
    steps: [
      {
        id: 'auth-wrong',
        mend: copying(
          /^correct username and password_file or password$/,
          'ctdb-password',
          '/etc/ctdb/etcd-password',
          0o600,
        ),
      },
    ],
  },
  {
    what: 'the role does not cover the lock',
    broken: 'etcdctl role revoke-permission --prefix=true ctdb /_locks/_ctdb/',
    by: 'admin',
    steps: [{ id: 'auth-permission', mend: run }],
  },
  {
    what: 'authentication was switched off',
    broken: {
      shown: 'etcdctl auth disable',
      happen: async ({ admin, site }) => {
        await admin('etcdctl auth disable');
        rmSync(join(site.directory, AUTH_IS_ON));
      },
    },
    steps: [{ id: 'login-off', mend: run }],
    undo: ({ site }) => {
      writeFileSync(join(site.directory, AUTH_IS_ON), '');
    },
  },
  {
    what: "a member's machine is down",
    broken: { shown: '(etcd3 loses its power)', happen: ({ site }) => site.stopMember(3) },
    steps: [
      {
        id: 'net-silent',
        mend: async (remedy, { site }) => {
          assert.match(remedy, /^check (that etcd runs there|the member)/);
          await site.startMembers([3]);
          return '(etcd3 is switched on again)';
        },
      },
    ],
  },
  {
    what: 'a member was left out',
    broken: "sed -i '/^hosts/s/, etcd3.example.com//' /etc/ctdb/etcd",
    steps: [
      {
        id: 'members-missing',
        mend: async (remedy, hand) => {
          const [, host = ''] = /^add (\S+) to hosts, /.exec(remedy) ?? assert.fail(remedy);
          return type(hand, `sed -i '/^hosts/s/$/, ${host}/' /etc/ctdb/etcd`);
        },
      },
    ],
    undo: (hand) => type(hand, "sed -i '/^hosts/s/:2379//' /etc/ctdb/etcd"),
  },
  {
    what: "etcd's database is full",
    broken: {
      shown: '(somebody fills the database up to its quota)',
      happen: async ({ admin }) => {
        await admin(
          "head -c 1000000 /dev/zero | tr '\\0' x > fill; for i in $(seq 40); do etcdctl put /fill < fill || break; done",
        );
      },
    },
    steps: [{ id: 'alarms-raised', mend: run }],
  },
  {
    what: "a stranger's key is in the lock's directory",
    broken: 'etcdctl put /_locks/_ctdb/FILES/forgotten x',
    by: 'admin',
    steps: [{ id: 'holder-forever', mend: run }],
  },
  {
    what: 'ctdb.conf sets no lock',
    broken: "sed -i '/cluster lock/d' /etc/ctdb/ctdb.conf",
    steps: [
      {
        id: 'ctdb-unset',
        mend: async (remedy, hand) => {
          const [, line = ''] =
            /^add to section \[cluster\], on every node: (.*)$/.exec(remedy) ?? assert.fail(remedy);
          return type(hand, `sed -i '0,/^.cluster./s|^.cluster.$|&\\n${line}|' /etc/ctdb/ctdb.conf`);
        },
      },
    ],
  },
  {
    what: 'ctdb.conf has another path',
    broken: "sed -i 's|/usr/libexec/ctdb/|/usr/lib/ctdb/|' /etc/ctdb/ctdb.conf",
    steps: [
      {
        id: 'ctdb-program',
        mend: by(
          /correct the path of the cluster lock$/,
          "sed -i 's|/usr/lib/ctdb/|/usr/libexec/ctdb/|' /etc/ctdb/ctdb.conf",
        ),
      },
    ],
  },
];
