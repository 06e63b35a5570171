// What `check` finds, by the packed binary on real members: things broken one at a time, and mended as it says.
import assert from 'node:assert/strict';
import { chmod, copyFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bugsOf } from '../../src/etcd/releases.ts';
import { runAdmin, runOnTerminal } from '../support/admin-command.ts';
import { Authority } from '../support/certificates.ts';
import { ETCD_RELEASES, EtcdCluster, etcdPackageVersion, etcdProgram } from '../support/etcd-cluster.ts';
import { etcdVersion, LATEST_RELEASE, releaseThatTakes } from '../support/etcd-programs.ts';
import { filledIn, guideEntries } from '../support/failure-guide.ts';
import { LockBench, type Settings } from '../support/lock-bench.ts';
import { helperProgram } from '../support/mutex-parent.ts';
import { pageBlocks } from '../support/page-blocks.ts';
import { run, runChecked, temporaryDirectory } from '../support/processes.ts';

interface CheckJson {
  readonly verdict: string;
  readonly results: readonly {
    readonly verdict: string;
    readonly area: string;
    readonly id: string;
    readonly endpoint: string;
    readonly text: string;
    readonly remedy: string | null;
  }[];
}

const GUIDE = new Map(guideEntries().map((entry) => [entry.id, entry]));

async function checkJson(bench: LockBench): Promise<CheckJson> {
  const { stdout } = await runAdmin(['check', '--json'], bench.environment);
  const json = JSON.parse(stdout) as CheckJson;
  for (const { verdict, id, text, remedy } of json.results) {
    const entry = GUIDE.get(id);
    const said = remedy === null ? text : `${text}; ${remedy}`;
    assert.ok(
      entry?.lines.some((line) => filledIn(line).test(said)),
      `the failure guide has ${id} as ${String(entry?.lines.join(', or '))}, not as: ${said}`,
    );
    if (verdict === 'problem' || verdict === 'warning') assert.ok(remedy !== null, `no remedy for: ${text}`);
  }
  return json;
}

function matching({ results }: CheckJson, area: string, text: RegExp): CheckJson['results'] {
  return results.filter((result) => result.area === area && text.test(result.text));
}

for (const release of ETCD_RELEASES) {
  const version = etcdVersion(release);
  void describe(`check on etcd ${etcdPackageVersion(release)}`, () => {
    let cluster: EtcdCluster;
    before(async () => {
      cluster = await EtcdCluster.start({ release, members: 3 });
    });
    after(() => cluster.stop());

    test('a sound configuration has no problem, and a line for each member', async () => {
      await using bench = await LockBench.make(cluster);
      const { status, stdout, stderr } = await runAdmin(['check'], bench.environment);
      assert.equal(stderr, '');
      const dangers = bugsOf(version).filter(({ endangersLock }) => endangersLock);
      assert.equal(status, dangers.length > 0 ? 1 : 0, stdout);
      for (const { endpoint } of cluster.members) {
        assert.match(
          stdout,
          new RegExp(`^ok {7}connect +${endpoint} +etcd 3\\.\\d+\\.\\d+, (leader|follower), round trip`, 'm'),
        );
      }
      assert.match(stdout, /^ok {7}members +3 voting members: the lock survives the loss of 1$/m);
      assert.match(stdout, /^ok {7}store +3 endpoints lead to one store/m);
      assert.match(stdout, /^ok {7}election +the shortest lease that etcd grants is 2 s$/m);
      assert.match(stdout, /^ok {7}permission +may take a lease, and may read and write under /m);
      assert.match(stdout, /^ok {7}renewal +a renewal takes /m);
      assert.match(stdout, /stops within 7\.5 s of its last renewal/);
      const warnings = [
        ...stdout.matchAll(/^warning {2}version +etcd (\S+) has (?:bug #(\d+)|a bug): .+\[version-bug\]$/gm),
      ];
      assert.deepEqual(
        warnings.map(([, of, issue]) => [of, issue === undefined ? undefined : Number(issue)]),
        dangers.map(({ issue }) => [version, issue]),
      );
    });

    test('a check writes nothing that stays, and a holder does not notice', async () => {
      await using bench = await LockBench.make(cluster, { lock_ttl: 4 });
      const free = await runAdmin(['check'], bench.environment);
      assert.match(free.stdout, /nobody holds the lock/);
      assert.deepEqual(await bench.leftovers(), []);
      const holder = await bench.hold({ args: ['-vv'] });
      const revisionOf = async (): Promise<bigint | undefined> =>
        (await cluster.keys(bench.directory))[0]?.modRevision;
      const before = await revisionOf();
      for (let count = 0; count < 3; count += 1) {
        const { status, stdout } = await runAdmin(['check'], bench.environment);
        assert.notEqual(status, 2, stdout);
        assert.match(stdout, new RegExp(`^ok {7}holder +held by \\S+, pid ${holder.pid}$`, 'm'));
      }
      assert.equal(await revisionOf(), before);
      assert.equal((await cluster.leases()).length, 1);
      assert.equal(holder.exit, undefined);
      assert.doesNotMatch(holder.stderr, /lost|Watch/);
      await holder.release();
    });

    test('a check never puts a key, not even for an instant', async () => {
      await using bench = await LockBench.make(cluster);
      const revision = async (): Promise<string> => {
        const answer = await cluster.etcdctl(['get', '/', '--write-out=json']);
        return /"revision":(\d+)/.exec(answer)?.[1] ?? '';
      };
      const before = await revision();
      await runAdmin(['check'], bench.environment);
      // Every put and delete raises the store's revision; leases do not.
      assert.equal(await revision(), before);
    });
  });
}

void describe('check, with one thing broken at a time', () => {
  // The quickest check of a password: check warns of a slow login, which a busy machine makes of the default cost.
  const QUICK_LOGINS = ['--bcrypt-cost=4'];
  const USERS = ['root:rootpw', 'ctdb:s3cret', 'reader:s3cret'];
  let cluster: EtcdCluster;
  let other: EtcdCluster;
  let sound: Settings;
  let directory: string;
  let bench: LockBench;
  let strangeCa: string;

  before(async () => {
    directory = await temporaryDirectory('check');
    const authority = await Authority.make(directory, 'ca');
    const strange = await Authority.make(directory, 'strange');
    const server = await authority.issue({ commonName: 'etcd' });
    const client = await authority.issue({ commonName: 'client' });
    cluster = await EtcdCluster.start({
      release: LATEST_RELEASE,
      members: 3,
      tls: { caFile: authority.certFile, ...server, clientCertAuth: true },
      args: QUICK_LOGINS,
    });
    other = await EtcdCluster.start({ release: LATEST_RELEASE });
    // A client certificate is a login too, by its CN, where no password is given.
    const asClient = { certFile: client.certFile, keyFile: client.keyFile };
    for (const user of USERS) await cluster.etcdctl(['user', 'add', user], asClient);
    for (const [role, access] of [
      ['lock', 'readwrite'],
      ['look', 'read'],
    ] as const) {
      await cluster.etcdctl(['role', 'add', role], asClient);
      const grant = ['role', 'grant-permission', '--prefix=true', role, access, '/_locks/_ctdb/'];
      await cluster.etcdctl(grant, asClient);
    }
    await cluster.etcdctl(['user', 'grant-role', 'root', 'root'], asClient);
    await cluster.etcdctl(['user', 'grant-role', 'ctdb', 'lock'], asClient);
    await cluster.etcdctl(['user', 'grant-role', 'reader', 'look'], asClient);
    await cluster.etcdctl(['auth', 'enable'], asClient);
    strangeCa = strange.certFile;
    await writeFile(join(directory, 'password'), 's3cret\n', { mode: 0o600 });
    sound = {
      protocol: 'https',
      ca_cert: authority.certFile,
      cert: client.certFile,
      key: client.keyFile,
      username: 'ctdb',
      password_file: join(directory, 'password'),
    };
    bench = await LockBench.make(other, { hosts: cluster.hosts, netbios_name: 'CHECK' });
  });
  after(async () => {
    await bench[Symbol.asyncDispose]();
    await Promise.all([cluster.stop(), other.stop()]);
  });

  test('nothing is broken to begin with', async () => {
    await bench.configure(sound);
    const { status, stdout } = await runAdmin(['check'], bench.environment);
    assert.equal(status, 0, stdout);
    assert.match(
      stdout,
      /^ok {7}tls +127\.0\.0\.1:\d+ +TLSv1\.3, certificate of "etcd" by "ca", \d+ days left$/m,
    );
    assert.match(
      stdout,
      /^ok {7}login +127\.0\.0\.1:\d+ +logged in as "ctdb"; the login ends 5 min after its last use/m,
    );
    assert.match(stdout, /\nAll is well\n$/);
  });

  interface Breakage {
    readonly what: string;
    readonly settings: () => Settings;
    readonly area: string;
    readonly says: RegExp;
    readonly remedy: RegExp;
  }
  // One for each area of the report. test/conformance/errors-of-etcd.test.ts runs check on every other cause.
  const BROKEN: readonly Breakage[] = [
    {
      what: 'the wrong authority',
      settings: () => ({ ca_cert: strangeCa }),
      area: 'tls',
      says: /certificate is signed by "CN=[^"]*", which is not in ca_cert/,
      remedy: /put the certificate of "CN=[^"]*" into ca_cert/,
    },
    {
      what: 'a wrong password',
      settings: () => ({ password_file: undefined, password: 'wrong' }),
      area: 'login',
      says: /wrong user name or password for user "ctdb"/,
      remedy: /correct username and password_file or password/,
    },
    {
      what: 'a role that may only read',
      settings: () => ({ username: 'reader' }),
      area: 'permission',
      says: /permission denied to user "reader" on \/_locks\/_ctdb\/CHECK\//,
      remedy: /etcdctl role grant-permission --prefix=true ROLE readwrite \/_locks\/_ctdb\/CHECK\//,
    },
    {
      what: 'a port where nobody listens',
      settings: () => ({ hosts: '127.0.0.1:1' }),
      area: 'connect',
      says: /connection refused/,
      remedy: /check that etcd runs there and that hosts and port are right/,
    },
    {
      what: 'a value that its key does not take',
      settings: () => ({ lock_ttl: 'soon' }),
      area: 'config',
      says: /line \d+: lock_ttl is "soon", want whole seconds from 2 to 300/,
      remedy: /correct the file/,
    },
  ];

  for (const { what, settings, area, says, remedy } of BROKEN) {
    test(`${what}: a problem with its remedy, and status 2`, async () => {
      await bench.configure({ ...sound, ...settings() });
      const { status, stdout } = await runAdmin(['check'], bench.environment);
      assert.equal(status, 2, stdout);
      const [found] = matching(await checkJson(bench), area, says).filter(
        ({ verdict }) => verdict === 'problem',
      );
      assert.ok(found !== undefined, stdout);
      assert.match(found.remedy ?? '', remedy);
      assert.ok(stdout.includes(`${found.text}; ${found.remedy ?? ''} [${found.id}]\n`), stdout);
      assert.match(stdout, /\nNot ready: \d+ problem/);
    });
  }

  test('hosts of two clusters are a problem', async () => {
    const hosts = `${cluster.hosts},http://${other.hosts}`;
    await bench.configure({ ...sound, hosts });
    const json = await checkJson(bench);
    assert.equal(json.verdict, 'broken');
    assert.equal(matching(json, 'cluster', /^hosts lead to 2 clusters/)[0]?.verdict, 'problem');
    await bench.configure(sound);
  });

  test('a secret that others can read is a warning with its chmod', async () => {
    await bench.configure(sound);
    await chmod(join(directory, 'password'), 0o644);
    const json = await checkJson(bench);
    await chmod(join(directory, 'password'), 0o600);
    assert.equal(json.verdict, 'warnings');
    const [found] = matching(json, 'config', /holds a secret, and other users can read it/);
    assert.match(found?.remedy ?? '', /^run chmod 600 /);
  });
});

void describe('check, in other surroundings', () => {
  let cluster: EtcdCluster;
  before(async () => {
    cluster = await EtcdCluster.start({
      release: releaseThatTakes('--enable-v2'),
      members: 3,
      args: ['--enable-v2=true', '--quota-backend-bytes=1048576'],
    });
  });
  after(() => cluster.stop());

  test('one dead member of three is a warning', async () => {
    await using bench = await LockBench.make(cluster);
    await cluster.member(2).stop();
    const json = await checkJson(bench);
    cluster.member(2).start();
    await cluster.member(2).healthy();
    assert.equal(json.verdict, 'warnings');
    const [found] = matching(json, 'connect', /connection refused/);
    assert.deepEqual([found?.verdict, found?.endpoint], ['warning', cluster.member(2).endpoint]);
  });

  test('a member that is not in hosts is a warning', async () => {
    await using bench = await LockBench.make(cluster, { hosts: cluster.member(0).endpoint });
    const found = matching(await checkJson(bench), 'members', /is not in hosts$/);
    assert.deepEqual(
      found.map(({ verdict }) => verdict),
      ['warning', 'warning'],
    );
  });

  test('a lost quorum is a problem', async () => {
    await using bench = await LockBench.make(cluster);
    await Promise.all([cluster.member(1).stop(), cluster.member(2).stop()]);
    const json = await checkJson(bench);
    cluster.member(1).start();
    cluster.member(2).start();
    await Promise.all(cluster.members.map((member) => member.healthy()));
    assert.equal(json.verdict, 'broken');
    assert.ok(json.results.some(({ area, verdict }) => area === 'lease' && verdict === 'problem'));
  });

  test("the Python helper's lock in API v2 is a warning", async () => {
    await using bench = await LockBench.make(cluster);
    const url = `http://${cluster.member(0).endpoint}/v2/keys/_locks/_ctdb/${bench.name}/1`;
    await fetch(url, { method: 'PUT', body: new URLSearchParams({ value: 'node1' }) });
    const [found] = matching(
      await checkJson(bench),
      'python',
      /^Lock is held in etcd v2 by the Python helper/,
    );
    assert.equal(found?.verdict, 'warning');
    await fetch(url, { method: 'DELETE' });
    assert.deepEqual(matching(await checkJson(bench), 'python', /./), []);
  });

  test('a key without a lease in the directory is a problem with its etcdctl del', async () => {
    await using bench = await LockBench.make(cluster);
    const key = `${bench.directory}forgotten`;
    await cluster.etcdctl(['put', key, 'x']);
    const [found] = matching(await checkJson(bench), 'holder', /has no lease/);
    assert.deepEqual([found?.verdict, found?.remedy], ['problem', `run etcdctl del ${key}`]);
    await cluster.etcdctl(['del', key]);
  });

  /** What `check` makes of a ctdb.conf: its verdict, and what it says under `id`. */
  const CONFS: readonly (readonly [what: string, conf: string, verdict: string, id: string, says: RegExp])[] =
    [
      [
        'this helper with its identity',
        `!${helperProgram()} --name @NAME --cluster-id @ID -v`,
        'ok',
        'ctdb-ok',
        /with --name and --cluster-id$/,
      ],
      [
        'this helper',
        `!${helperProgram()} -v`,
        'warning',
        'ctdb-identity',
        /this helper, without --name and --cluster-id: /,
      ],
      [
        'this helper with a name only',
        `!${helperProgram()} --name @NAME`,
        'warning',
        'ctdb-identity',
        /without --cluster-id/,
      ],
      [
        'this helper without its !',
        helperProgram(),
        'problem',
        'ctdb-bang',
        /the "!" is missing: CTDB would lock the file/,
      ],
      [
        'this helper in quotes',
        `"!${helperProgram()}"`,
        'problem',
        'ctdb-quotes',
        /the quotes are part of the value/,
      ],
      [
        'this helper in curly quotes',
        `\u201c!${helperProgram()}\u201d`,
        'problem',
        'ctdb-quotes',
        /the quotes are part/,
      ],
      [
        'this helper behind a space',
        `! ${helperProgram()}`,
        'problem',
        'ctdb-space',
        /a space after the "!"/,
      ],
      ['this helper without its path', '!ctdb_etcd_lock', 'problem', 'ctdb-path', /not an absolute path/],
      ['misspelled', '!/usr/libexec/ctdb/ctdb_etcd_lok', 'problem', 'ctdb-path', /is not this helper/],
      ['another program that is not there', '!/x/lock', 'problem', 'ctdb-path', /is not there$/],
      ['not there', '!/x/ctdb_etcd_lock', 'problem', 'ctdb-program', /is not there$/],
      [
        'a file',
        '/clusterfs/lock',
        'warning',
        'ctdb-other',
        /is not migrated yet: .* in the file \/clusterfs\/lock$/,
      ],
      ['another helper', '!/usr/bin/env lock', 'warning', 'ctdb-other', /is not migrated yet/],
      ['with arguments in quotes', `!${helperProgram()} -c "/a b"`, 'problem', 'ctdb-quotes', /has quotes/],
      [
        'followed by an unknown option',
        `!${helperProgram()} --verbos`,
        'problem',
        'ctdb-arguments',
        /did you mean --verbose$/,
      ],
      [
        'followed by a name',
        `!${helperProgram()} FILES`,
        'problem',
        'ctdb-arguments',
        /the name of a lock goes after --name$/,
      ],
      [
        'a command for administrators',
        `!${helperProgram()} check`,
        'problem',
        'ctdb-arguments',
        /check takes no lock$/,
      ],
      [
        'with a file that is not there',
        `!${helperProgram()} -c /nowhere`,
        'problem',
        'conf-missing',
        /"\/nowhere": no such file/,
      ],
      [
        'with another name',
        `!${helperProgram()} --name OTHER`,
        'problem',
        'conf-identity',
        /want "OTHER", which is --name in the lock string$/,
      ],
      [
        'with another cluster',
        `!${helperProgram()} --cluster-id deadbeef`,
        'problem',
        'etcd-cluster',
        /, and --cluster-id is deadbeef$/,
      ],
    ];
  for (const [what, line, verdict, id, says] of CONFS) {
    test(`a ctdb.conf whose cluster lock is ${what} gives "${verdict}"`, async () => {
      await using bench = await LockBench.make(cluster);
      const conf = line.replace('@NAME', bench.name).replace('@ID', await cluster.clusterId());
      await writeFile(join(bench.base, 'ctdb.conf'), `[cluster]\n cluster lock = ${conf}\n`);
      const json = await checkJson(bench);
      const found = json.results.filter((result) => result.id === id);
      const [first] = found;
      assert.equal(first?.verdict, verdict, JSON.stringify(json.results));
      assert.match(first.text, says);
      assert.equal(json.verdict === 'broken', verdict === 'problem');
    });
  }

  for (const [what, conf, verdict, id] of [
    ['no section', 'cluster lock = !/usr/libexec/ctdb/ctdb_etcd_lock\n', 'problem', 'ctdb-ignored'],
    [
      'a misspelled option',
      '[cluster]\n cluster_lock = !/usr/libexec/ctdb/ctdb_etcd_lock\n',
      'problem',
      'ctdb-ignored',
    ],
    ['no cluster lock yet', '[cluster]\n', 'warning', 'ctdb-unset'],
    ['a byte order mark', `\ufeff[cluster]\n cluster lock = !${helperProgram()}\n`, 'problem', 'ctdb-mark'],
    ['an empty lock', '[cluster]\n cluster lock =\n', 'problem', 'ctdb-refused'],
    ['half a section', `[cluster\n cluster lock = !${helperProgram()}\n`, 'problem', 'ctdb-dropped'],
    [
      'a continued line',
      `[cluster]\n cluster lock = !${helperProgram()} \\\n  -v\n`,
      'warning',
      'ctdb-identity',
    ],
    [
      'a short timeout',
      `[cluster]\n cluster lock = !${helperProgram()}\n leader timeout = 2\n`,
      'warning',
      'ctdb-timeout',
    ],
  ] as const) {
    test(`a ctdb.conf with ${what} gives "${verdict}"`, async () => {
      await using bench = await LockBench.make(cluster);
      await writeFile(join(bench.base, 'ctdb.conf'), conf);
      const json = await checkJson(bench);
      assert.equal(
        json.results.find((result) => result.id === id)?.verdict,
        verdict,
        JSON.stringify(json.results),
      );
      assert.equal(json.verdict === 'broken', verdict === 'problem');
    });
  }

  test('the line that check prints, put into ctdb.conf, leaves nothing to be said', async () => {
    await using bench = await LockBench.make(cluster);
    const file = join(bench.base, 'ctdb.conf');
    await writeFile(file, `[cluster]\n cluster lock = !${helperProgram()} -vv\n`);
    const [warning] = matching(await checkJson(bench), 'ctdb', /without --name and --cluster-id/);
    const line = /^set (cluster lock = .*) on every node$/.exec(warning?.remedy ?? '')?.[1] ?? '';
    assert.equal(
      line,
      `cluster lock = !${helperProgram()} --name ${bench.name} --cluster-id ${await cluster.clusterId()} -vv`,
    );
    await writeFile(file, `[cluster]\n ${line}\n`);
    assert.equal(matching(await checkJson(bench), 'ctdb', /with --name and --cluster-id$/)[0]?.verdict, 'ok');
  });

  test('check goes by the file and the name that the lock string names', async () => {
    await using bench = await LockBench.make(cluster);
    const other = join(bench.base, 'other');
    await writeFile(other, `hosts = ${cluster.hosts}\nnetbios_name = ELSEWHERE\n`);
    const conf = `[cluster]\n cluster lock = !${helperProgram()} -c ${other} --name ELSEWHERE\n`;
    await writeFile(join(bench.base, 'ctdb.conf'), conf);
    assert.equal(
      matching(await checkJson(bench), 'name', /^the lock is \/_locks\/_ctdb\/ELSEWHERE$/).length,
      1,
    );
    const { stdout } = await runAdmin(['status'], bench.environment);
    assert.match(stdout, /^Lock +\/_locks\/_ctdb\/ELSEWHERE$/m);
    const own = await runAdmin(['check', '-c', join(bench.base, 'etcd')], bench.environment);
    assert.match(
      own.stdout,
      /reads ".*other", which selects \/_locks\/_ctdb\/ELSEWHERE, and this check reads ".*etcd"$/m,
    );
    await writeFile(other, 'lock_ttl = soon\n');
    const broken = await runAdmin(['check', '-c', join(bench.base, 'etcd')], bench.environment);
    assert.equal(broken.status, 2);
    assert.match(
      broken.stdout,
      /the helper that CTDB runs would answer 3: Cannot read config ".*other": line 1: lock_ttl is "soon"/,
    );
  });

  test('CTDB that runs with another string is a warning', async () => {
    await using bench = await LockBench.make(cluster);
    await writeFile(join(bench.base, 'ctdb.conf'), `[cluster]\n cluster lock = !${helperProgram()}\n`);
    const bin = await bench.script('ctdb', 'echo /clusterfs/lock');
    const env = { ...bench.environment, PATH: `${bin}:/usr/bin:/bin` };
    const { stdout } = await runAdmin(['check'], env);
    assert.match(
      stdout,
      /^warning {2}ctdb +CTDB is running with \/clusterfs\/lock, which is not the cluster lock in ".+"; set the same cluster lock on all nodes/m,
    );
  });

  test('a script in the place of the program is a warning, and a copy of it a note', async () => {
    await using bench = await LockBench.make(cluster);
    const bin = await bench.script('ctdb_etcd_lock', 'exit 1');
    const program = join(bin, 'ctdb_etcd_lock');
    await writeFile(join(bench.base, 'ctdb.conf'), `[cluster]\n cluster lock = !${program}\n`);
    const [script] = matching(await checkJson(bench), 'ctdb', /is a script/);
    assert.deepEqual([script?.verdict, script?.id], ['warning', 'ctdb-script']);
    await copyFile(helperProgram(), program);
    const [copy] = matching(await checkJson(bench), 'ctdb', /and this check runs from another file$/);
    assert.deepEqual([copy?.verdict, copy?.id], ['note', 'ctdb-copy']);
    await chmod(program, 0o644);
    const [locked] = matching(await checkJson(bench), 'ctdb', /cannot be executed$/);
    assert.deepEqual([locked?.verdict, locked?.remedy], ['problem', `run chmod 755 ${program}`]);
  });

  test('a configuration that other users can write is a warning with its chmod', async () => {
    await using bench = await LockBench.make(cluster);
    const file = join(bench.base, 'etcd');
    await chmod(file, 0o666);
    const [found] = matching(await checkJson(bench), 'config', /^other users can write /);
    assert.deepEqual([found?.verdict, found?.remedy], ['warning', `run chmod go-w ${file}`]);
  });

  test('a user who can read the configuration can run check and status', async () => {
    await using bench = await LockBench.make(cluster);
    await chmod(bench.base, 0o755);
    const asNobody = async (...args: string[]): Promise<number | null> => {
      const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', helperProgram(), ...args];
      const { status, stderr } = await run('setpriv', nobody, { env: bench.environment });
      assert.equal(stderr, '');
      return status;
    };
    assert.equal(await asNobody('check'), 1); // the bug of this old release
    assert.equal(await asNobody('status'), 1);
    await chmod(join(bench.base, 'etcd'), 0o600);
    const refused = await run('setpriv', ['--reuid=65534', '--clear-groups', helperProgram(), 'check'], {
      env: bench.environment,
    });
    assert.equal(refused.status, 2);
    assert.match(refused.stdout, /^problem {2}config +Cannot read config ".+": permission denied \(EACCES\)/);
  });

  test('a terminal sees colours and progress, with NO_COLOR no colours', async () => {
    await using bench = await LockBench.make(cluster);
    const coloured = await runOnTerminal(['check'], bench.environment, '');
    assert.ok(coloured.shown.includes('\u001b[32mok'));
    assert.match(coloured.shown, /asking 127\.0\.0\.1/);
    const plain = await runOnTerminal(['check'], { ...bench.environment, NO_COLOR: '1' }, '');
    assert.ok(!plain.shown.includes('\u001b[32m'));
  });

  test('a full database is a problem, and the recipe of running-etcd.md mends it', async () => {
    await using bench = await LockBench.make(cluster);
    const value = 'x'.repeat(100_000);
    for (let count = 0; count < 40; count += 1) {
      const { status } = await cluster.tryEtcdctl(['put', `/fill${count}`, value]);
      if (status !== 0) break;
    }
    const json = await checkJson(bench);
    assert.equal(json.verdict, 'broken');
    const [alarm] = matching(json, 'alarms', /^NOSPACE on member /);
    assert.match(
      alarm?.remedy ?? '',
      /^run etcdctl compact \d+ && etcdctl defrag --cluster && etcdctl alarm disarm$/,
    );
    const [lease] = matching(json, 'lease', /full \(alarm NOSPACE\)/);
    assert.equal(lease?.verdict, 'problem');

    await cluster.etcdctl(['del', '--prefix', '/fill']);
    const [recipe = ''] = pageBlocks('running-etcd.md', 'sh run');
    const programs = dirname(etcdProgram(cluster.release, 'etcdctl'));
    await runChecked('bash', ['-euo', 'pipefail', '-c', recipe], {
      env: {
        PATH: `${programs}:${process.env['PATH'] ?? ''}`,
        ETCDCTL_API: '3',
        ETCDCTL_ENDPOINTS: cluster.hosts,
      },
    });
    const mended = await checkJson(bench);
    assert.equal(mended.verdict, 'warnings', JSON.stringify(mended.results));
    assert.deepEqual(matching(mended, 'alarms', /^no alarm is raised$/).length, 1);
  });
});

void describe('check, of members that are not one cluster', () => {
  /** Each with the defaults that etcd has: one and the same cluster ID and member ID. */
  const strangers: EtcdCluster[] = [];
  before(async () => {
    const args = [
      '--name=default',
      '--initial-cluster-token=etcd-cluster',
      '--initial-cluster=default=http://localhost:2380',
      '--initial-advertise-peer-urls=http://localhost:2380',
    ];
    for (let count = 0; count < 3; count += 1)
      strangers.push(await EtcdCluster.start({ release: '3.5-forky', args }));
    const ids = await Promise.all(strangers.map((each) => each.clusterId()));
    assert.deepEqual([...new Set(ids)], ['cdf818194e3a8c32']);
  });
  after(() => Promise.all(strangers.map((each) => each.stop())));

  test('a lease that one grants is unknown to the others, which is a problem for each of them', async () => {
    const [first] = strangers;
    assert.ok(first !== undefined);
    await using bench = await LockBench.make(first, { hosts: strangers.map(({ hosts }) => hosts).join() });
    const json = await checkJson(bench);
    assert.equal(json.verdict, 'broken', JSON.stringify(json.results));
    const found = json.results.filter(({ id }) => id === 'store-another');
    assert.equal(found.length, 2);
    assert.deepEqual(await bench.leftovers(), []);
  });
});

test('logins that end soon, as their tokens say, are a warning', async () => {
  const directory = await temporaryDirectory('check-jwt');
  const [key, pub] = [join(directory, 'jwt-key.pem'), join(directory, 'jwt.pem')];
  await runChecked('openssl', ['genrsa', '-out', key, '2048']);
  await runChecked('openssl', ['rsa', '-in', key, '-pubout', '-out', pub]);
  for (const [ttl, verdict, text] of [
    ['10s', 'warning', /^logged in as "root"; the login ends after (9|10) s$/],
    ['5m', 'ok', /^logged in as "root"; the login ends after (4 min 59 s|5 min)$/],
  ] as const) {
    await using cluster = await EtcdCluster.start({
      release: LATEST_RELEASE,
      args: [`--auth-token=jwt,pub-key=${pub},priv-key=${key},sign-method=RS256,ttl=${ttl}`],
    });
    await cluster.etcdctl(['user', 'add', 'root:rootpw']);
    await cluster.etcdctl(['user', 'grant-role', 'root', 'root']);
    await cluster.etcdctl(['auth', 'enable']);
    await using bench = await LockBench.make(cluster, { username: 'root', password: 'rootpw' });
    const [found] = matching(await checkJson(bench), 'login', text);
    assert.equal(found?.verdict, verdict);
    // The keys of this bench are forgotten with its etcd; without a login it could not look for them.
    await cluster.etcdctl(['auth', 'disable'], { user: 'root:rootpw' });
  }
});
