import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Config } from '../../../src/config/config.ts';
import { KEY_NAMES, KEYS } from '../../../src/config/config-keys.ts';
import { ConfigError } from '../../../src/base/errors.ts';
import { GRPC_OPTIONS } from '../../../src/config/grpc-keys.ts';
import { timingOf } from '../../../src/config/timing.ts';
import { CONFIG_NAME, configOf } from '../../support/config-text.ts';
import { values } from '../../support/properties.ts';

const TEXTS = 100_000;
const BYTE_STRINGS = 50_000;

/** Longer than any input here can reasonably take; a regular expression that explodes takes minutes. */
const LONGEST_PARSE_MS = 2_000;

// What no message may repeat. It is made of letters that no key, word or number of the program has in that order.
const SECRET = 'xQzSecretzQx';

const WORDS = [
  '9',
  '2',
  '0',
  '-1',
  '0.5',
  '4.5',
  '1e9',
  '99999999999999999999',
  '2379',
  'yes',
  'no',
  'TRUE',
  'http',
  'https',
  '/a',
  '/_locks',
  '_ctdb',
  '//',
  'a',
  'a:1',
  'a,b',
  '::1',
  '[::1]:2379',
  'https://a',
  'http://a:1/',
  'ftp://a',
  'a@b',
  '"',
  "'",
  '"a # b"',
  "'a'",
  '# c',
  ' #',
  '#',
  '=',
  '\\',
  '%s',
  '${a}',
  '\u{feff}',
  '\u202e',
  '\u0000',
  '\t',
  '\u{1f512}',
];

const key = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...KEY_NAMES) },
  { weight: 1, arbitrary: fc.constantFrom(...GRPC_OPTIONS.keys()) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '__proto__',
      'constructor',
      'prototype',
      'toString',
      'grpc.__proto__',
      'lock_tll',
    ),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 12, unit: 'binary' }) },
);

/** A value that its key takes, so that whole valid files come about often enough to reach the checks behind. */
const fitting = fc.constantFrom(
  ['hosts', 'a b:1 https://c'],
  ['host', 'a'],
  ['port', '4001'],
  ['protocol', 'https'],
  ['lock_ttl', '30'],
  ['lock_ttl', '2'],
  ['refresh', '1'],
  ['lock_refresh', '0.3'],
  ['cert', '/c'],
  ['ca_cert', '/ca'],
  ['key', '/k'],
  ['username', 'u'],
  ['password', SECRET],
  ['password_file', '/p'],
  ['srv_domain', 'a.b'],
  ['netbios_name', 'N'],
  ['server_name', 'a'],
  ['insecure_skip_verify', 'yes'],
  ['expected_cluster_id', 'ff'],
  ['use_proxies', 'x'],
  ['grpc.keepalive_time_ms', '10000'],
);

const value = fc.oneof(
  fc.constantFrom(...WORDS),
  fc.array(fc.constantFrom(...WORDS), { maxLength: 4 }).map((words) => words.join('')),
  fc.string({ maxLength: 20 }),
  fc.string({ maxLength: 10, unit: 'binary' }),
  fc.nat(4_000).map(String),
);

const line = fc.oneof(
  { weight: 8, arbitrary: fitting.map(([name, text]) => `${name} = ${text}`) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        key,
        fc.constantFrom('=', ' = ', '\t=', '==', ' '),
        value,
        fc.constantFrom('', ' # c', '#c', ' '),
      )
      .map((parts) => parts.join('')),
  },
  // A password whatever is wrong with it: no quote's end, no equals sign, something behind it.
  { weight: 1, arbitrary: value.map((text) => `password = ${SECRET}${text}`) },
  { weight: 1, arbitrary: value.map((text) => `password = "${SECRET}${text}`) },
  { weight: 1, arbitrary: value.map((text) => `hosts = https://root:${SECRET}@a${text}`) },
  { weight: 1, arbitrary: fc.constantFrom('', '# comment', '  # a = b', `password ${SECRET}`, '[global]') },
);

const text = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom('\n', '\n', '\n', '\r\n', '\r'))
  .map(([lines, end]) => lines.join(end));

function assertSound(config: Config): void {
  const timing = timingOf(config);
  assert.ok(timing.refreshMs + 2 * timing.attemptMs <= timing.ttlMs - timing.marginMs(timing.ttlMs) + 1e-6);
  assert.ok(config.endpoints.length > 0 || config.srvDomain !== undefined);
  for (const { host, port } of config.endpoints) {
    assert.ok(host !== '' && Number.isInteger(port) && port >= 1 && port <= 65_535);
  }
  assert.match(config.lockPrefix, /^\/.*[^/]$/s);
  assert.match(config.locksDir, /^[^/](.*[^/])?$/s);
  assert.ok(
    Object.isFrozen(config) && Object.isFrozen(config.endpoints) && Object.isFrozen(config.grpcOptions),
  );
  assert.equal(Object.getPrototypeOf(config.grpcOptions), Object.prototype);
}

/** Reads one input to its only two ends: a sound config or one error with file and line. */
function readToItsEnd(input: string | Uint8Array, secret?: string): 'config' | 'error' {
  const startedAtMs = performance.now();
  let said: readonly string[];
  let end: 'config' | 'error';
  try {
    const { config, warnings, notes } = configOf(input);
    assertSound(config);
    said = [...warnings, ...notes];
    end = 'config';
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    assert.match(error.message, /^Cannot read config "\/etc\/ctdb\/etcd": line [1-9][0-9]*: /);
    said = [error.message];
    end = 'error';
  }
  for (const message of said) {
    assert.ok(message.includes(CONFIG_NAME));
    assert.ok(secret === undefined || !message.includes(secret), message);
    // eslint-disable-next-line no-control-regex -- control characters are what must not be there
    assert.doesNotMatch(message, /[\u0000-\u001f\u007f-\u009f]/);
    assert.ok(Buffer.byteLength(message) < 1_000, message);
  }
  assert.ok(performance.now() - startedAtMs < LONGEST_PARSE_MS);
  return end;
}

test(`each of ${TEXTS} random texts ends as a sound config or as one error with file and line`, (context) => {
  const counts = { config: 0, error: 0 };
  fc.assert(
    fc.property(text, (input) => {
      counts[readToItsEnd(input, SECRET)] += 1;
    }),
    values(TEXTS),
  );
  context.diagnostic(`${counts.config} configs, ${counts.error} errors`);
  // Neither end may be rare, or the property says little about it.
  assert.ok(counts.config > TEXTS / 50 && counts.error > TEXTS / 50, JSON.stringify(counts));
  assert.equal(Object.keys(Object.prototype).length, 0);
});

test(`each of ${BYTE_STRINGS} random byte strings ends as a sound config or as one error with file and line`, () => {
  // Damage can make a password the value of another key, so nothing is said about secrets here.
  const damaged = fc.tuple(text, fc.nat(), fc.nat(255)).map(([input, place, byte]) => {
    const bytes = Buffer.from(input);
    if (bytes.length > 0) bytes[place % bytes.length] = byte;
    return bytes;
  });
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged);
  fc.assert(
    fc.property(bytes, (input) => {
      readToItsEnd(input);
    }),
    values(BYTE_STRINGS),
  );
});

test('every key takes every sort of text, long ones included, without a crash and in no time', () => {
  const longs = [
    '/',
    ' ',
    '#',
    '"',
    ',',
    '.',
    ':',
    '0',
    'a',
    '-',
    '[',
    '@',
    'a/',
    'a.',
    ' #',
    '://',
    '\u{1f512}',
  ].flatMap((unit) => [
    unit.repeat(Math.floor(60_000 / unit.length)),
    `a${unit.repeat(Math.floor(30_000 / unit.length))}a`,
  ]);
  for (const { name } of Object.values(KEYS)) {
    for (const long of longs) readToItsEnd(`${name} = ${long}`);
  }
  for (const long of longs) {
    readToItsEnd(long);
    readToItsEnd(`${long} = 1`);
  }
});
