import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { ProcessIdentity } from '../../src/host.ts';
import { makeLinuxHost } from '../../src/linux-host.ts';
import { waitFor } from '../support/wait.ts';

const host = makeLinuxHost(process);

function identify(pid: number): ProcessIdentity {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const startTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  return { ...host.self, pid, startTicks };
}

test('a process that lives is neither dead nor ending, and one that is gone is dead', async () => {
  const child = spawn('sleep', ['60']);
  const neighbour = identify(child.pid ?? 0);
  assert.deepEqual([host.isDead(neighbour), host.isEnding(neighbour)], [false, false]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.deepEqual([host.isDead(neighbour), host.isEnding(neighbour)], [true, false]);
});

test('a process whose main thread has ended and another has not is ending, and not dead', async () => {
  // The main thread goes and the other sleeps: what a process looks like from outside while it is being killed.
  const program = `
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).pthread_exit(None)`;
  const child = spawn('python3', ['-c', program], { stdio: 'ignore' });
  const neighbour = identify(child.pid ?? 0);
  await waitFor('its main thread has ended', () => host.isEnding(neighbour));
  assert.equal(host.isDead(neighbour), false);
  for (const other of [
    { ...neighbour, startTicks: neighbour.startTicks + 1 },
    { ...neighbour, bootId: 'another' },
    { ...neighbour, namespaces: 'others' },
  ]) {
    assert.equal(host.isEnding(other), false);
  }
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.deepEqual([host.isDead(neighbour), host.isEnding(neighbour)], [true, false]);
});
