import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { startFailure } from '../../../src/process/start-failure.ts';

/** The error of Node for a program that does not start. */
async function failureOf(program: string): Promise<unknown> {
  const [error] = (await once(spawn(program, { stdio: 'ignore' }), 'error')) as unknown[];
  return error;
}

test('a program that does not start for lack of /dev/null is not said to be missing', async () => {
  const error = await failureOf('/nonexistent/bash');
  assert.equal(
    startFailure(error, () => false),
    'spawn /nonexistent/bash ENOENT: there is no /dev/null, make it with mknod -m 666 /dev/null c 1 3',
  );
  assert.equal(startFailure(error), 'spawn /nonexistent/bash ENOENT');
});

test('other failures have nothing to do with /dev/null', async () => {
  assert.equal(
    startFailure(await failureOf('/etc/passwd'), () => false),
    'spawn /etc/passwd EACCES',
  );
  assert.equal(
    startFailure('spawn EAGAIN', () => false),
    'spawn EAGAIN',
  );
});
