import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEntries } from '../../../src/config/config-file.ts';
import { configErrorOf } from '../../support/config-text.ts';

function pairsOf(text: string | Uint8Array): [string, string, number][] {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  return readEntries(bytes, '/c').map(({ key, value, line }) => [key, value, line]);
}

const UNDERSTOOD: readonly (readonly [string, string, readonly (readonly [string, string, number])[]])[] = [
  ['an empty file', '', []],
  ['nothing but blank lines and comments', '\n  \n\t\n# a = b\n   # c\n#', []],
  ['a key and its value', 'a = b', [['a', 'b', 1]]],
  ['no space around the equals sign', 'a=b', [['a', 'b', 1]]],
  ['tabs and spaces around everything', '\t a \t=\t b \t', [['a', 'b', 1]]],
  [
    'a last line without an end',
    'a=1\nb=2',
    [
      ['a', '1', 1],
      ['b', '2', 2],
    ],
  ],
  ['line numbers that count blank lines and comments', '\n# x\n\na=1', [['a', '1', 4]]],
  [
    'CR LF',
    'a=1\r\nb=2\r\n',
    [
      ['a', '1', 1],
      ['b', '2', 2],
    ],
  ],
  [
    'CR alone',
    'a=1\rb=2\r',
    [
      ['a', '1', 1],
      ['b', '2', 2],
    ],
  ],
  ['a byte order mark', '\u{feff}a=1', [['a', '1', 1]]],
  [
    'a comment after a value',
    'a = 1 # b\nb = 2\t#c',
    [
      ['a', '1', 1],
      ['b', '2', 2],
    ],
  ],
  ['a # inside a word', 'a = b#c', [['a', 'b#c', 1]]],
  ['a comment instead of a value', 'a = # b', [['a', '', 1]]],
  ['an equals sign in the value', 'a = b=c==', [['a', 'b=c==', 1]]],
  ['spaces in the value', 'a = b  c', [['a', 'b  c', 1]]],
  ['double quotes that keep # and outer spaces', 'a = " b # c " # d', [['a', ' b # c ', 1]]],
  ['single quotes that keep double ones', `a = '"b"'#c`, [['a', '"b"', 1]]],
  ['quotes with nothing in them', 'a = ""', [['a', '', 1]]],
  ['quotes inside a value', `a = it's "b"`, [['a', `it's "b"`, 1]]],
  ['a backslash as itself', 'a = "b\\"', [['a', 'b\\', 1]]],
  ['letters of any script in a value', 'a = Zürich 東京 🔒', [['a', 'Zürich 東京 🔒', 1]]],
  [
    'names of the prototype as any other key',
    '__proto__ = 1\nconstructor = 2',
    [
      ['__proto__', '1', 1],
      ['constructor', '2', 2],
    ],
  ],
  [
    'a key twice',
    'a = 1\na = 2',
    [
      ['a', '1', 1],
      ['a', '2', 2],
    ],
  ],
];

for (const [fact, text, pairs] of UNDERSTOOD) {
  test(`a config file may have ${fact}`, () => {
    assert.deepEqual(pairsOf(text), pairs);
  });
}

const REFUSED: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
  ['no equals sign', 'a = 1\nsecret words\n', /line 2: no "=" in it, want "key = value"/],
  ['a section', '[global]', /line 1: a section in brackets, want only lines of "key = value"$/],
  ['no key', ' = secret', /line 1: no key before the "="/],
  ['two words for a key', 'the secret = 1', /line 1: no key before the "="/],
  ['a key of 65 letters', `${'a'.repeat(65)} = 1`, /line 1: no key before the "="/],
  ['a NUL', 'a = 1\na = secret\0', /line 2: a control character, want plain text/],
  ['a NUL in a comment', '# \0', /line 1: a control character/],
  ['an escape sequence', 'a = \u001b[1msecret', /line 1: a control character/],
  ['UTF-16', Buffer.from('a = 1', 'utf16le'), /line 1: a control character/],
  ['UTF-16 with its mark', Buffer.from('\u{feff}a = 1', 'utf16le'), /line 1: bytes that are not UTF-8/],
  [
    'Latin-1',
    Buffer.from('a = 1\n# x\nb = \xfcsecret\nc = \xfc', 'latin1'),
    /line 3: bytes that are not UTF-8/,
  ],
  [
    'a cut UTF-8 sequence at the end',
    Buffer.from([0x61, 0x3d, 0xe2, 0x82]),
    /line 1: bytes that are not UTF-8/,
  ],
  [
    'an opening quote without its end',
    'a = "secret',
    /line 1: the value of a has an opening " without its end/,
  ],
  ['the wrong closing quote', `a = 'secret"`, /line 1: the value of a has an opening ' without its end/],
  [
    'text after a closing quote',
    'a = "secret" secret',
    /line 1: the value of a has text after its closing "/,
  ],
];

for (const [fact, text, message] of REFUSED) {
  test(`a config file with ${fact} is refused with its line, and without what it says`, () => {
    const said = configErrorOf(() => pairsOf(text));
    assert.match(said, message);
    assert.match(said, /^Cannot read config "\/c": /);
    assert.doesNotMatch(said, /secret/);
  });
}
