import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findHungFile } from '../../../src/base/hung-file.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const folder = mkdtempSync('/tmp/hung-file-');
after(() => {
  rmSync(folder, { recursive: true });
});

const MOUNTINFO = `1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:5 / /dev rw - devtmpfs udev rw
3 1 0:20 / /proc rw - proc proc rw
4 1 0:30 / /tmp/with\\040space rw - nfs4 server:/ rw
`;

/** Whether a thread asked for one of the files, none of which hangs. */
async function areAsked(paths: readonly string[], mountinfo = MOUNTINFO): Promise<boolean> {
  let asked = false;
  const beforeThreads = (): void => {
    asked = true;
  };
  assert.equal(
    await findHungFile(paths, { clock: new FakeClock(), beforeThreads }, () => mountinfo),
    undefined,
  );
  return asked;
}

test('a file on a local disk, and one that is not there, need no thread', async () => {
  const [file, link] = [join(folder, 'file'), join(folder, 'link')];
  writeFileSync(file, 'text');
  symlinkSync('file', link);
  assert.equal(await areAsked([file, link, join(folder, 'nowhere', 'file')]), false);
  assert.equal(await areAsked([]), false);
});

test('a file system that is not known as local is asked, also through symbolic links', async () => {
  const [direct, detour] = [join(folder, 'direct'), join(folder, 'detour')];
  symlinkSync('/proc/self/status', direct);
  symlinkSync(`../..${folder}/direct`, detour);
  assert.equal(await areAsked(['/proc/self/status']), true);
  assert.equal(await areAsked(['/tmp/with space/file']), true);
  assert.equal(await areAsked(['/tmp/with']), false);
  assert.equal(await areAsked([direct]), true);
  assert.equal(await areAsked([detour]), true);
});

test('symbolic links in a circle, a directory and a device are left to who reads the file', async () => {
  const circle = join(folder, 'circle');
  symlinkSync('circle', circle);
  assert.equal(await areAsked([circle]), false);
  assert.equal(await areAsked(['/proc/self']), true);
  assert.equal(await areAsked(['/dev/null']), false);
});

test('in a chroot, whose root is not in the list of mounts, only files on other mounts are asked', async () => {
  const mountinfo = '36 35 0:40 / /proc rw - proc proc rw\n';
  assert.equal(await areAsked([join(folder, 'file')], mountinfo), false);
  assert.equal(await areAsked(['/proc/self/status'], mountinfo), true);
});

test('without /proc every file is asked', async () => {
  assert.equal(await areAsked([join(folder, 'file')], ''), true);
});
