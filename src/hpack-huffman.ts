/**
 * The Huffman code of HPACK (RFC 7541, appendix B). It is canonical: the codes of one length follow each other in the order
 * of their symbols, so the lengths say everything.
 */

// Bits of the code of each byte.
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];
const LONGEST = 30;

/** By length: the first code of that length, and the bytes that have one. Made at the first use. */
let codes: { readonly first: number; readonly bytes: readonly number[] }[] | undefined;

function makeCodes(): NonNullable<typeof codes> {
  const result: NonNullable<typeof codes> = [];
  let first = 0;
  for (let length = 0; length <= LONGEST; length += 1) {
    const bytes: number[] = [];
    for (let byte = 0; byte < LENGTHS.length; byte += 1) if (LENGTHS[byte] === length) bytes.push(byte);
    result.push({ first, bytes });
    first = (first + bytes.length) * 2;
  }
  return result;
}

/** The text that `bytes` stand for, a character for each byte; undefined when they stand for none. */
export function huffmanDecode(bytes: Buffer): string | undefined {
  codes ??= makeCodes();
  let text = '';
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      code = code * 2 + ((byte >> bit) & 1);
      length += 1;
      const of = codes[length];
      if (of === undefined) return undefined; // the end mark, which may not stand in a text
      const symbol = of.bytes[code - of.first];
      if (symbol === undefined) continue;
      text += String.fromCharCode(symbol);
      code = 0;
      length = 0;
    }
  }
  // What fills the last byte is the beginning of the end mark: ones, and fewer than eight.
  return length < 8 && code === 2 ** length - 1 ? text : undefined;
}
