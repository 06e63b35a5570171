import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pemBlocks } from '../../../src/connect/pem.ts';

const block = (label: string, body = 'AAAA'): string =>
  `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----`;
const CERTIFICATE = block('CERTIFICATE');

/** `LABEL@LINE` of each block, or `LINE PROBLEM`. */
function read(text: string): string[] | string {
  const blocks = pemBlocks(text);
  return 'problem' in blocks
    ? `${blocks.line} ${blocks.problem}`
    : blocks.map(({ label, line }) => `${label}@${line}`);
}

void describe('the blocks of a PEM file', () => {
  const UNDERSTOOD: readonly (readonly [what: string, text: string, blocks: readonly string[]])[] = [
    ['one', `${CERTIFICATE}\n`, ['CERTIFICATE@1']],
    [
      'two with text between',
      `${CERTIFICATE}\nroot of 2026\n\n${CERTIFICATE}\n`,
      ['CERTIFICATE@1', 'CERTIFICATE@6'],
    ],
    ['two glued on one line', `${CERTIFICATE}${CERTIFICATE}`, ['CERTIFICATE@1', 'CERTIFICATE@3']],
    ['without the last line end', CERTIFICATE, ['CERTIFICATE@1']],
    ['of Windows', CERTIFICATE.replaceAll('\n', '\r\n'), ['CERTIFICATE@1']],
    ['indented', `  ${CERTIFICATE.replaceAll('\n', '\n  ')}`, ['CERTIFICATE@1']],
    ['on one line as a whole', '-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----', ['CERTIFICATE@1']],
    [
      'of several kinds',
      `${block('EC PARAMETERS')}\n${block('EC PRIVATE KEY')}`,
      ['EC PARAMETERS@1', 'EC PRIVATE KEY@4'],
    ],
    ['beside words about beginnings', `-- begin of the chain --\n${CERTIFICATE}`, ['CERTIFICATE@2']],
    ['of which there are none', 'a text\n', []],
    [
      'with headers',
      block('RSA PRIVATE KEY', 'Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA'),
      ['RSA PRIVATE KEY@1'],
    ],
  ];
  for (const [what, text, expected] of UNDERSTOOD) {
    test(`${what}: found`, () => {
      assert.deepEqual(read(text), expected);
    });
  }

  const REFUSED: readonly (readonly [what: string, text: string, problem: string])[] = [
    ['cut off', CERTIFICATE.slice(0, 30), '1 begins a CERTIFICATE that has no end'],
    [
      'that begins twice',
      `${CERTIFICATE.slice(0, 32)}\n${CERTIFICATE}`,
      '1 begins a CERTIFICATE that has no end',
    ],
    ['that only ends', `x\n${CERTIFICATE.slice(33)}`, '2 ends a CERTIFICATE that has no beginning'],
    [
      'that ends as another',
      `${CERTIFICATE}\n${CERTIFICATE.replace('END CERTIFICATE', 'END PUBLIC KEY')}`,
      '4 begins a CERTIFICATE that has no end',
    ],
  ];
  for (const [what, text, problem] of REFUSED) {
    test(`${what}: refused, with the line`, () => {
      assert.equal(read(text), problem);
    });
  }

  const DAMAGED = [
    '----BEGIN CERTIFICATE-----',
    '-----BEGIN CERTIFICATE----',
    '-----Begin Certificate-----',
    '----- BEGIN CERTIFICATE -----',
    '-----END CERTIFICATE----',
    'BEGIN CERTIFICATE-----',
  ];
  for (const line of DAMAGED) {
    test(`a boundary ${line} is refused, with its line`, () => {
      assert.match(String(read(`${CERTIFICATE}\n${line}\nAAAA\n`)), /^4 is not a PEM boundary, want /);
    });
  }

  test('a dash too few where two files were put together', () => {
    assert.match(String(read(`${CERTIFICATE.slice(0, -1)}${CERTIFICATE}`)), /^3 is not a PEM boundary/);
  });
});
