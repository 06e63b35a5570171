import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ctdbPnn } from '../../../src/process/ctdb-pnn.ts';
import { SetupError } from '../../../src/base/errors.ts';
import { findLockName, type LockNameSources } from '../../../src/config/lock-name.ts';
import type { CommandOutcome, RunCommand } from '../../../src/base/command.ts';

const SOURCES: LockNameSources = {
  netbiosName: undefined,
  givenName: undefined,
  configPath: '/etc/ctdb/etcd',
  hostName: 'node1.example.com',
};

/** A runner that gives one answer and remembers what it was asked. */
function answering(outcome: CommandOutcome): {
  run: RunCommand;
  calls: (readonly [string, readonly string[], number])[];
} {
  const calls: (readonly [string, readonly string[], number])[] = [];
  return {
    calls,
    run: (...call) => {
      calls.push(call);
      return Promise.resolve(outcome);
    },
  };
}

const exited = (stdout: string, code = 0, stderr = ''): CommandOutcome => ({
  kind: 'exited',
  code,
  stdout,
  stderr,
});

/** The message of the `SetupError` that the search ends with, after its identifier. */
async function refusalOf(sources: LockNameSources, outcome: CommandOutcome): Promise<string> {
  try {
    return `no error, but ${await findLockName(sources, answering(outcome).run)}`;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return `${error.id}: ${error.message}`;
  }
}

test('netbios_name is the name, and testparm is not asked', async () => {
  const { run, calls } = answering({ kind: 'missing' });
  assert.equal(await findLockName({ ...SOURCES, netbiosName: 'NODE1' }, run), 'NODE1');
  assert.deepEqual(calls, []);
});

test('without netbios_name testparm is asked, within 2.5 s', async () => {
  const { run, calls } = answering(exited('CLUSTER\n'));
  assert.equal(await findLockName(SOURCES, run), 'CLUSTER');
  assert.deepEqual(calls[0], ['testparm', ['-s', '--parameter-name', 'netbios name'], 2_500]);
  assert.deepEqual([calls.length, calls[1]?.[0], calls[1]?.[2]], [2, 'sh', 2_500]);
});

test("testparm's name counts although it ends with status 1 over missing directories", async () => {
  const { run } = answering(exited('CLUSTER\n', 1, 'ERROR: state directory /var/lib/samba does not exist\n'));
  assert.equal(await findLockName(SOURCES, run), 'CLUSTER');
});

test("testparm's name is read in capitals, as netbios_name is", async () => {
  assert.equal(await findLockName(SOURCES, answering(exited('cluster\n')).run), 'CLUSTER');
});

for (const [hostName, name] of [
  ['node1.example.com', 'NODE1'],
  ['a-host-name-of-more-than-fifteen', 'A-HOST-NAME-OF-'],
] as const) {
  test(`${name}, which Samba made of the host name ${hostName}, is no name`, async () => {
    assert.equal(
      await refusalOf({ ...SOURCES, hostName }, exited(`${name}\n`)),
      `name-own: Cannot name the lock: "${name}" is this host's own name, which testparm prints when smb.conf sets no netbios name, ` +
        'so each node would take another lock; set netbios_name in "/etc/ctdb/etcd", the same on all nodes',
    );
  });
}

test("a name that smb.conf sets is a name, even the host's own", async () => {
  const run: RunCommand = (command) =>
    Promise.resolve(exited(command === 'sh' ? 'netbiosname=node1\n' : 'NODE1\n'));
  assert.equal(await findLockName(SOURCES, run), 'NODE1');
  const none: RunCommand = (command) => Promise.resolve(command === 'sh' ? exited('') : exited('NODE1\n'));
  await assert.rejects(findLockName(SOURCES, none), /host's own name/);
});

for (const [setting, printed] of [
  ['%h', 'NODE1'],
  ['%L', 'NODE1'],
  ['CTDB-%h', 'CTDB-NODE1'],
  ['%i', '10.0.0.1'],
  ['%$(HOSTNAME)', 'NODE1'],
] as const) {
  const run: RunCommand = (command) =>
    Promise.resolve(exited(command === 'sh' ? `NetbiosName=${setting}\n` : `${printed}\n`));

  test(`netbios name = ${setting} in smb.conf is another name on each node, and refused`, async () => {
    await assert.rejects(findLockName(SOURCES, run), (error) => {
      assert.ok(error instanceof SetupError);
      assert.equal(error.id, 'name-own');
      assert.equal(
        error.message,
        `Cannot name the lock: smb.conf sets netbios name to "${setting}", and Samba replaces each % by another text on each node, ` +
          'so each node would take another lock; set netbios_name in "/etc/ctdb/etcd", the same on all nodes',
      );
      return true;
    });
    assert.equal(await findLockName({ ...SOURCES, givenName: 'FILES' }, run), 'FILES');
  });
}

test('the name in the lock string must be what testparm prints', async () => {
  const given = { ...SOURCES, givenName: 'FILES' };
  assert.equal(await findLockName(given, answering(exited('FILES\n')).run), 'FILES');
  assert.equal(
    await refusalOf(given, exited('OTHER\n')),
    'name-differs: Cannot name the lock: --name in the lock string is "FILES", and testparm prints "OTHER"; ' +
      'set netbios_name in "/etc/ctdb/etcd", the same on all nodes',
  );
});

test("the name in the lock string is the name where testparm prints none, or the host's own", async () => {
  const given = { ...SOURCES, givenName: 'FILES' };
  for (const outcome of [{ kind: 'missing' }, { kind: 'timeout' }, exited(''), exited('NODE1\n')] as const)
    assert.equal(await findLockName(given, answering(outcome).run), 'FILES');
});

const WANT = 'want at most 255 printable ASCII characters without space and /; it has';

const NAMELESS: readonly (readonly [CommandOutcome, string])[] = [
  [{ kind: 'missing' }, 'testparm is not installed'],
  [{ kind: 'timeout' }, 'testparm did not answer within 2.5 s'],
  [{ kind: 'killed', signal: 'SIGSEGV' }, 'testparm was ended by SIGSEGV'],
  [{ kind: 'failed', reason: 'spawn ENOMEM' }, 'testparm did not start: spawn ENOMEM'],
  [exited(''), `testparm -s --parameter-name 'netbios name' printed ""`],
  [exited('A B\n'), `testparm -s --parameter-name 'netbios name' printed "A B", ${WANT} U+0020 SPACE`],
  [exited('A/B\n', 1), `testparm -s --parameter-name 'netbios name' printed "A/B", ${WANT} U+002F SOLIDUS`],
  [
    exited('A\nB\n'),
    `testparm -s --parameter-name 'netbios name' printed "A\\nB", ${WANT} U+000A (a control character)`,
  ],
  [
    exited('FIL\u0415S\n'),
    `testparm -s --parameter-name 'netbios name' printed "FIL\\u0415S", ${WANT} U+0415 (a Cyrillic letter)`,
  ],
  [
    exited('', 1, "Load smb config files\nCan't load /etc/samba/smb.conf\n"),
    `testparm -s --parameter-name 'netbios name' ended with status 1 and said "Can't load /etc/samba/smb.conf"`,
  ],
  [exited('', 127), `testparm -s --parameter-name 'netbios name' ended with status 127`],
];

for (const [outcome, reason] of NAMELESS) {
  test(`no name is to be had when ${reason}, and the line says to set netbios_name`, async () => {
    await assert.rejects(
      findLockName(SOURCES, answering(outcome).run),
      (error) =>
        error instanceof SetupError &&
        error.message === `Cannot name the lock: ${reason}; set netbios_name in "/etc/ctdb/etcd"`,
    );
  });
}

test('the PNN is asked of ctdb with its own hard limit and one of ours', async () => {
  const { run, calls } = answering(exited('2\n'));
  assert.equal(await ctdbPnn(run), 2);
  assert.deepEqual(calls, [['ctdb', ['-T', '3', 'pnn'], 3_000]]);
});

test('the PNN of old releases is understood', async () => {
  assert.equal(await ctdbPnn(answering(exited('PNN:0\n')).run), 0);
});

for (const outcome of [
  { kind: 'missing' },
  { kind: 'timeout' },
  { kind: 'killed', signal: 'SIGKILL' },
  { kind: 'failed', reason: 'x' },
  exited('1\n', 1),
  exited(''),
  exited('-1\n'),
  exited('99999\n'),
  exited('connect() failed\n'),
] satisfies CommandOutcome[]) {
  test(`no PNN, and no error, from ${JSON.stringify(outcome)}`, async () => {
    assert.equal(await ctdbPnn(answering(outcome).run), undefined);
  });
}
