import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ctdbPnn } from '../../../src/process/ctdb-pnn.ts';
import { SetupError } from '../../../src/base/errors.ts';
import { findLockName, type LockNameSources } from '../../../src/config/lock-name.ts';
import type { CommandOutcome, RunCommand } from '../../../src/base/command.ts';

const SOURCES: LockNameSources = {
  netbiosName: undefined,
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

test('netbios_name is the name, and testparm is not asked', async () => {
  const { run, calls } = answering({ kind: 'missing' });
  assert.deepEqual(await findLockName({ ...SOURCES, netbiosName: 'node1' }, run), {
    name: 'node1',
    warning: undefined,
  });
  assert.deepEqual(calls, []);
});

test('without netbios_name testparm is asked, within 2.5 s', async () => {
  const { run, calls } = answering(exited('CLUSTER\n'));
  assert.deepEqual(await findLockName(SOURCES, run), { name: 'CLUSTER', warning: undefined });
  assert.deepEqual(calls, [['testparm', ['-s', '--parameter-name', 'netbios name'], 2_500]]);
});

test("testparm's name counts although it ends with status 1 over missing directories", async () => {
  const { run } = answering(exited('CLUSTER\n', 1, 'ERROR: state directory /var/lib/samba does not exist\n'));
  assert.equal((await findLockName(SOURCES, run)).name, 'CLUSTER');
});

test('a name that Samba made of the host name is used with a warning', async () => {
  for (const [hostName, name] of [
    ['node1.example.com', 'NODE1'],
    ['a-host-name-of-more-than-fifteen', 'A-HOST-NAME-OF-'],
  ] as const) {
    const found = await findLockName({ ...SOURCES, hostName }, answering(exited(`${name}\n`)).run);
    assert.equal(found.name, name);
    assert.equal(
      found.warning,
      `The lock is named "${name}" after this host, so that each node would take a lock of its own; ` +
        'set the same netbios name in smb.conf on all nodes, or set netbios_name in "/etc/ctdb/etcd"',
    );
  }
});

const NAMELESS: readonly (readonly [CommandOutcome, string])[] = [
  [{ kind: 'missing' }, 'testparm is not installed'],
  [{ kind: 'timeout' }, 'testparm did not answer within 2.5 s'],
  [{ kind: 'killed', signal: 'SIGSEGV' }, 'testparm was ended by SIGSEGV'],
  [{ kind: 'failed', reason: 'spawn ENOMEM' }, 'testparm did not start: spawn ENOMEM'],
  [exited(''), `testparm -s --parameter-name 'netbios name' printed ""`],
  [exited('A B\n'), `testparm -s --parameter-name 'netbios name' printed "A B"`],
  [exited('A/B\n', 1), `testparm -s --parameter-name 'netbios name' printed "A/B"`],
  [exited('A\nB\n'), `testparm -s --parameter-name 'netbios name' printed "A\\nB"`],
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
