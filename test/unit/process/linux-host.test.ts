import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, it, test } from 'node:test';
import type { ProcessIdentity } from '../../../src/lock/local-host.ts';
import { makeLinuxHost } from '../../../src/process/linux-host.ts';
import { waitFor } from '../../support/wait.ts';

const host = makeLinuxHost(process);

function identify(pid: number): ProcessIdentity {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const startTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  return { ...host.self, pid, startTicks };
}

test('a process that lives is neither dead nor ending, and one that is gone is dead', async () => {
  const child = spawn('sleep', ['60']);
  const neighbor = identify(child.pid ?? 0);
  assert.deepEqual([host.isDead(neighbor), host.isEnding(neighbor)], [false, false]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.deepEqual([host.isDead(neighbor), host.isEnding(neighbor)], [true, false]);
});

test('a process whose main thread has ended and another has not is ending, and not dead', async () => {
  // The main thread goes and the other sleeps: what a process looks like from outside while it is being killed.
  const program = `
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).pthread_exit(None)`;
  const child = spawn('python3', ['-c', program], { stdio: 'ignore' });
  const neighbor = identify(child.pid ?? 0);
  await waitFor('its main thread has ended', () => host.isEnding(neighbor));
  assert.equal(host.isDead(neighbor), false);
  for (const other of [
    { ...neighbor, startTicks: neighbor.startTicks + 1 },
    { ...neighbor, bootId: 'another' },
    { ...neighbor, namespaces: 'others' },
  ]) {
    assert.equal(host.isEnding(other), false);
  }
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.deepEqual([host.isDead(neighbor), host.isEnding(neighbor)], [true, false]);
});

test('only who has the reading end of its stdout open reads the answer of a process', () => {
  // Of two children of a shell, one writes into a pipe and the other reads it. Node's own pipes are sockets.
  const program = `
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { makeLinuxHost } from '${new URL('../../../src/process/linux-host.ts', import.meta.url).href}';
const siblings = () => readFileSync('/proc/' + process.ppid + '/task/' + process.ppid + '/children', 'latin1').trim().split(' ');
while (siblings().length < 2);
const reader = Number(siblings().find((pid) => Number(pid) !== process.pid));
const writer = spawn('sleep', ['60'], { stdio: ['ignore', 1, 'ignore'] });
const bystander = spawn('sleep', ['60'], { stdio: 'ignore' });
const host = makeLinuxHost(process);
const reads = [reader, writer.pid, bystander.pid].map((pid) => host.readsAnswer(pid));
const inForeignProc = makeLinuxHost(process, 'it is another').readsAnswer(reader);
writer.kill('SIGKILL');
bystander.kill('SIGKILL');
console.log(JSON.stringify({ reads, inForeignProc }));`;
  const args = ['-c', '"$0" --input-type=module -e "$1" | cat', process.execPath, program];
  const shown = JSON.parse(execFileSync('sh', args, { encoding: 'utf8' })) as unknown;
  assert.deepEqual(shown, { reads: [true, false, false], inForeignProc: false });
});

// What /proc shows, by hand.

const [US, THEM] = [815, 4711];

function stat(pid: number, startTicks: number, { state = 'S', threads = 4 } = {}): string {
  return `${pid} (a ) Z name) ${state} ${'0 '.repeat(16)}${threads} 0 ${startTicks} 0 0\n`;
}

/** A host that runs this process and another one, as /proc shows them. */
function hostOf(files: Readonly<Record<string, string>>, living: readonly number[] = [US, THEM]) {
  const all: Record<string, string> = {
    '/proc/sys/kernel/random/boot_id': 'boot\n',
    '/proc/thread-self/stat': stat(US, 100),
    [`/proc/${THEM}/stat`]: stat(THEM, 99),
    ...files,
  };
  const kill = (pid: number): true => {
    if (living.includes(pid)) return true;
    throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH' });
  };
  return makeLinuxHost({ pid: US, ppid: 1, kill }, undefined, (path) => {
    const text = all[path];
    if (text === undefined || text === '') throw new Error(`ENFILE: file table overflow, open '${path}'`);
    return text;
  });
}

/** What the other process wrote into the lock's value. */
function them(differs: Partial<ProcessIdentity> = {}): ProcessIdentity {
  return { ...hostOf({}).self, pid: THEM, startTicks: 99, ...differs };
}

void describe('a neighbor', () => {
  const stillThere = `/proc/${THEM}/stat`;

  void it('that runs is not dead', () => {
    assert.equal(hostOf({}).isDead(them()), false);
  });

  void it('that is gone, was replaced, or is a zombie with nothing left is dead', () => {
    assert.equal(hostOf({}, [US]).isDead(them()), true);
    assert.equal(hostOf({ [stillThere]: stat(THEM, 200) }).isDead(them()), true);
    const zombie = stat(THEM, 99, { state: 'Z', threads: 1 });
    assert.equal(hostOf({ [stillThere]: zombie }).isDead(them()), true);
  });

  void it('that may be elsewhere, or have files open yet, is not dead', () => {
    assert.equal(hostOf({}, [US]).isDead(them({ bootId: 'another' })), false);
    assert.equal(hostOf({}, [US]).isDead(them({ namespaces: '1/2' })), false);
    const ending = stat(THEM, 99, { state: 'Z', threads: 2 });
    assert.equal(hostOf({ [stillThere]: ending }).isDead(them()), false);
  });

  void it('of which /proc does not tell is not dead', () => {
    assert.equal(hostOf({ [stillThere]: '' }).isDead(them()), false);
    assert.equal(hostOf({ '/proc/sys/kernel/random/boot_id': '' }, [US]).isDead(them()), false);
  });

  void it('that could not find out its own start time is not dead, and lets nobody compare it', () => {
    const blind = hostOf({ '/proc/thread-self/stat': '' }).self;
    assert.equal(hostOf({}).isDead({ ...blind, pid: THEM }), false);
    assert.equal(hostOf({}).isDead(them({ startTicks: 0 })), false);
    assert.equal(blind.bootId, '');
  });
});
