import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { readPasswordFile } from '../../../src/config/password-file.ts';
import { runChecked, temporaryDirectory } from '../../support/processes.ts';

let directory: string;
before(async () => {
  directory = await temporaryDirectory('password-file');
});

let count = 0;
function fileOf(content: string | Buffer): string {
  count += 1;
  const path = join(directory, `file ${count}`);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

/** The password as text, or the problem. */
function read(path: string, encoding: 'UTF-8' | 'any' = 'UTF-8'): string {
  const file = readPasswordFile(path, encoding);
  return file.kind === 'password' ? file.bytes.toString() : `problem: ${file.problem}`;
}

void describe('a file with a password', () => {
  const UNDERSTOOD: readonly (readonly [what: string, content: string | Buffer, password: string])[] = [
    ['with a line end', 'secret\n', 'secret'],
    ['without a line end', 'secret', 'secret'],
    ['of Windows', 'secret\r\nmore\r\n', 'secret'],
    ['of an old Mac', 'secret\rmore\r', 'secret'],
    ['with a byte order mark', '\ufeffsecret\n', 'secret'],
    ['with blanks, which are its own', ' se cret \n', ' se cret '],
    ['in UTF-8', 'pässwort€\n', 'pässwort€'],
    ['of one letter', 'x', 'x'],
  ];
  for (const [what, content, password] of UNDERSTOOD) {
    test(`${what}: read`, () => {
      assert.equal(read(fileOf(content)), password);
    });
  }

  const wide = (text: string, isBigEndian: boolean): Buffer => {
    const bytes = Buffer.from(text, 'utf16le');
    return isBigEndian ? bytes.swap16() : bytes;
  };
  const REFUSED: readonly (readonly [
    what: string,
    content: string | Buffer,
    problem: string,
    repaired?: string,
  ])[] = [
    ['that is empty', '', 'its first line is empty'],
    ['whose first line is empty', '\nsecret\n', 'its first line is empty'],
    ['with nothing but a byte order mark', '\ufeff', 'its first line is empty'],
    ['in UTF-16 of PowerShell', wide('\ufeffsecret\r\n', false), 'it is UTF-16 text', 'secret'],
    ['in UTF-16, the other way round', wide('\ufeffsecret\n', true), 'it is UTF-16 text', 'secret'],
    ['in UTF-16 without a mark', wide('secret\n', false), 'it is UTF-16LE text', 'secret'],
    [
      'in UTF-16 without a mark, the other way round',
      wide('secret\n', true),
      'it is UTF-16BE text',
      'secret',
    ],
    ['in Latin 1', Buffer.from('pässwort\n', 'latin1'), 'it is not UTF-8', 'pässwort'],
  ];
  for (const [what, content, problem, repaired] of REFUSED) {
    test(`${what}: refused${repaired === undefined ? '' : ', and the command that is named makes it good'}`, async () => {
      const path = fileOf(content);
      assert.equal(read(path), `problem: ${problem}`);
      if (repaired === undefined) return;
      const file = readPasswordFile(path, 'UTF-8');
      const command =
        file.kind === 'problem' ? (file.remedy?.replace('convert it to UTF-8: ', '') ?? '') : '';
      await runChecked('sh', ['-c', command]);
      assert.equal(read(path), repaired, readFileSync(path).toString('hex'));
      assert.equal(statSync(path).mode & 0o777, 0o600);
    });
  }

  test('that is not there, or too large: refused', () => {
    assert.equal(read(join(directory, 'nowhere')), 'problem: there is no such file');
    assert.match(read(fileOf('x'.repeat(5_000))), /^problem: it is larger than 4096 bytes/);
  });

  test('of a key may have any bytes', () => {
    const file = readPasswordFile(fileOf(Buffer.from('pässwort\n', 'latin1')), 'any');
    assert.ok(file.kind === 'password');
    assert.deepEqual(file.bytes, Buffer.from('pässwort', 'latin1'));
  });
});
