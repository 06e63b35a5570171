// Unicode names of characters that are invisible or that look like an ASCII character. They get into a file when text
// is pasted from a web page, a chat or a word processor.
const NAMES: Readonly<Record<number, string>> = {
  0x09: 'CHARACTER TABULATION',
  0x20: 'SPACE',
  0x22: 'QUOTATION MARK',
  0x2f: 'SOLIDUS',
  0x7f: 'DELETE',
  0xa0: 'NO-BREAK SPACE',
  0xad: 'SOFT HYPHEN',
  0x034f: 'COMBINING GRAPHEME JOINER',
  0x037e: 'GREEK QUESTION MARK',
  0x061c: 'ARABIC LETTER MARK',
  0x115f: 'HANGUL CHOSEONG FILLER',
  0x1160: 'HANGUL JUNGSEONG FILLER',
  0x180e: 'MONGOLIAN VOWEL SEPARATOR',
  0x2002: 'EN SPACE',
  0x2003: 'EM SPACE',
  0x2007: 'FIGURE SPACE',
  0x2009: 'THIN SPACE',
  0x200a: 'HAIR SPACE',
  0x200b: 'ZERO WIDTH SPACE',
  0x200c: 'ZERO WIDTH NON-JOINER',
  0x200d: 'ZERO WIDTH JOINER',
  0x200e: 'LEFT-TO-RIGHT MARK',
  0x200f: 'RIGHT-TO-LEFT MARK',
  0x2010: 'HYPHEN',
  0x2011: 'NON-BREAKING HYPHEN',
  0x2012: 'FIGURE DASH',
  0x2013: 'EN DASH',
  0x2014: 'EM DASH',
  0x2018: 'LEFT SINGLE QUOTATION MARK',
  0x2019: 'RIGHT SINGLE QUOTATION MARK',
  0x201a: 'SINGLE LOW-9 QUOTATION MARK',
  0x201c: 'LEFT DOUBLE QUOTATION MARK',
  0x201d: 'RIGHT DOUBLE QUOTATION MARK',
  0x201e: 'DOUBLE LOW-9 QUOTATION MARK',
  0x2024: 'ONE DOT LEADER',
  0x2028: 'LINE SEPARATOR',
  0x2029: 'PARAGRAPH SEPARATOR',
  0x202a: 'LEFT-TO-RIGHT EMBEDDING',
  0x202b: 'RIGHT-TO-LEFT EMBEDDING',
  0x202c: 'POP DIRECTIONAL FORMATTING',
  0x202d: 'LEFT-TO-RIGHT OVERRIDE',
  0x202e: 'RIGHT-TO-LEFT OVERRIDE',
  0x202f: 'NARROW NO-BREAK SPACE',
  0x2044: 'FRACTION SLASH',
  0x205f: 'MEDIUM MATHEMATICAL SPACE',
  0x2060: 'WORD JOINER',
  0x2212: 'MINUS SIGN',
  0x2215: 'DIVISION SLASH',
  0x3000: 'IDEOGRAPHIC SPACE',
  0x3164: 'HANGUL FILLER',
  0xfe0f: 'VARIATION SELECTOR-16',
  0xfeff: 'ZERO WIDTH NO-BREAK SPACE',
  0xff0c: 'FULLWIDTH COMMA',
  0xff1a: 'FULLWIDTH COLON',
  0xff3f: 'FULLWIDTH LOW LINE',
  0xffa0: 'HALFWIDTH HANGUL FILLER',
  0xfffd: 'REPLACEMENT CHARACTER',
};

// Alphabets with letters that look like ASCII letters.
const ALPHABETS: readonly (readonly [name: string, letters: RegExp])[] = [
  ['a Cyrillic letter', /\p{Script=Cyrillic}/u],
  ['a Greek letter', /\p{Script=Greek}/u],
  ['an Armenian letter', /\p{Script=Armenian}/u],
  ['a Cherokee letter', /\p{Script=Cherokee}/u],
  ['a fullwidth form', /[\uff01-\uff60]/u],
];

/**
 * Names one unexpected character for a message: `U+200B ZERO WIDTH SPACE`, `U+0415 (a Cyrillic letter)`, `U+00E9`. A
 * visible ASCII character is returned in double quotes.
 */
export function nameOfCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  const name = NAMES[code];
  if (name !== undefined) return `${hex} ${name}`;
  if (code > 0x20 && code < 0x7f) return `"${character}"`;
  if (code < 0x20 || (code >= 0x80 && code < 0xa0)) return `${hex} (a control character)`;
  const alphabet = ALPHABETS.find(([, letters]) => letters.test(character));
  return alphabet === undefined ? hex : `${hex} (${alphabet[0]})`;
}

function escaped(character: string): string {
  // One escape for each UTF-16 code unit, as in JSON, so that the text can be pasted into any program.
  return Array.from({ length: character.length }, (_, index) => {
    return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
  }).join('');
}

/**
 * Characters that a reader cannot see, or that move the cursor or change the direction of writing: control and format
 * characters, lone surrogates, spaces other than U+0020, and characters that fonts leave blank.
 */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/gu;

/** Returns `text` with every invisible character written as `\uXXXX`. */
export function escapeUnseen(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** Returns `text` with everything except the space and visible ASCII written as `\uXXXX`. */
export function escapeAllButAscii(text: string): string {
  return text.replace(/[^ -~]/gu, escaped);
}
