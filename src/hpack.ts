/** Header compression of HTTP/2 (HPACK, RFC 7541): what a client needs of it. */
import { huffmanDecode } from './hpack-huffman.ts';

const NOTHING = Buffer.alloc(0);

export type HeaderField = readonly [name: string, value: string];

/** A header block that breaks the rules; the connection cannot go on after it. */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}

/** RFC 7541, appendix A; entry 1 first. */
const STATIC_TABLE: readonly HeaderField[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  ...['200', '204', '206', '304', '400', '404', '500'].map((status): HeaderField => [':status', status]),
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ...(
    'accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control ' +
    'content-disposition content-encoding content-language content-length content-location content-range ' +
    'content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range ' +
    'if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range ' +
    'referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary via ' +
    'www-authenticate'
  )
    .split(' ')
    .map((name): HeaderField => [name, '']),
];

/** What the dynamic table may hold unless we say otherwise, which we do not (RFC 9113, SETTINGS_HEADER_TABLE_SIZE). */
const TABLE_BYTES = 4_096;
/** What an entry counts beside its text. */
const ENTRY_BYTES = 32;

/** The most that the fields of one block may count, names, values and 32 for each: what nginx and Node.js allow and more. */
export const LARGEST_HEADERS_BYTES = 65_536;

// Of integers: no length or index that makes sense needs more.
const LARGEST_SHIFT = 21;

/** Reads the header blocks of one connection, in their order: each can change how the later ones are read. */
export class HpackDecoder {
  /** Newest first. */
  readonly #table: HeaderField[] = [];
  #tableBytes = 0;
  #limitBytes = TABLE_BYTES;
  #block: Buffer = NOTHING;
  #at = 0;

  /**
   * The fields of a whole block, in their order.
   * @throws {HpackError}
   */
  decode(block: Buffer): HeaderField[] {
    this.#block = block;
    this.#at = 0;
    const fields: HeaderField[] = [];
    let bytes = 0;
    while (this.#at < block.length) {
      const first = block[this.#at] ?? 0;
      let field: HeaderField;
      if (first >= 0x80) field = this.#entry(this.#integer(7));
      else if (first >= 0x40) {
        field = this.#literal(6);
        this.#add(field);
      } else if (first >= 0x20) {
        if (fields.length > 0) throw new HpackError('a change of the table behind a field');
        this.#resize(this.#integer(5));
        continue;
      } else field = this.#literal(4);
      bytes += field[0].length + field[1].length + ENTRY_BYTES;
      if (bytes > LARGEST_HEADERS_BYTES) throw new HpackError('too many headers');
      fields.push(field);
    }
    this.#block = NOTHING;
    return fields;
  }

  #literal(prefix: number): HeaderField {
    const index = this.#integer(prefix);
    const name = index === 0 ? this.#string() : this.#entry(index)[0];
    return [name, this.#string()];
  }

  #entry(index: number): HeaderField {
    const entry = STATIC_TABLE[index - 1] ?? this.#table[index - 1 - STATIC_TABLE.length];
    if (entry === undefined) throw new HpackError(`no entry ${index}`);
    return entry;
  }

  #byte(): number {
    const byte = this.#block[this.#at];
    if (byte === undefined) throw new HpackError('a header block ends too early');
    this.#at += 1;
    return byte;
  }

  #integer(prefix: number): number {
    const largest = 2 ** prefix - 1;
    let value = this.#byte() & largest;
    if (value < largest) return value;
    for (let shift = 0; shift <= LARGEST_SHIFT; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new HpackError('too large an integer');
  }

  #string(): string {
    const isHuffman = (this.#block[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(7);
    const end = this.#at + length;
    if (end > this.#block.length) throw new HpackError('a header block ends too early');
    const bytes = this.#block.subarray(this.#at, end);
    this.#at = end;
    if (!isHuffman) return bytes.toString('latin1');
    const text = huffmanDecode(bytes);
    if (text === undefined) throw new HpackError('a bad Huffman code');
    return text;
  }

  #add(field: HeaderField): void {
    this.#tableBytes += field[0].length + field[1].length + ENTRY_BYTES;
    this.#table.unshift(field);
    this.#evict();
  }

  #resize(bytes: number): void {
    if (bytes > TABLE_BYTES) throw new HpackError(`a table of ${bytes} bytes`);
    this.#limitBytes = bytes;
    this.#evict();
  }

  #evict(): void {
    while (this.#tableBytes > this.#limitBytes) {
      const [name, value] = this.#table.pop() ?? ['', ''];
      this.#tableBytes -= name.length + value.length + ENTRY_BYTES;
    }
  }
}

// Literals: with their names in full, entered in nobody's table, and those that a proxy may not enter in one either.
const NOT_INDEXED = '\x00';
const NEVER_INDEXED = '\x10';

/**
 * What the first block of a connection begins with: our table holds nothing. A side that makes its table smaller than it was
 * wants to be told that we keep to that (RFC 7541, section 4.2); smaller than this it cannot be.
 */
export const NO_TABLE = Buffer.from([0x20]);

const STRING_PREFIX = 7;

/** An integer as the characters that its bytes are in Latin-1. */
function integerText(value: number, prefix: number): string {
  const largest = 2 ** prefix - 1;
  if (value < largest) return String.fromCharCode(value);
  let text = String.fromCharCode(largest);
  let rest = value - largest;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) text += String.fromCharCode((rest % 0x80) | 0x80);
  return text + String.fromCharCode(rest);
}

function stringText(text: string): string {
  return integerText(text.length, STRING_PREFIX) + text;
}

/**
 * Part of a header block without state, one that enters nothing in the other side's table: its bytes as the characters that
 * they are in Latin-1. Parts that were made at different times make a block.
 * @param isSecret whether the value may be seen by nobody on the way, not even by its length in a compressed form
 */
export function hpackText(fields: readonly HeaderField[], isSecret: (name: string) => boolean): string {
  let text = '';
  // By index: without a JIT, taking a pair apart by a pattern is as dear as all of the rest.
  for (const field of fields)
    text += (isSecret(field[0]) ? NEVER_INDEXED : NOT_INDEXED) + stringText(field[0]) + stringText(field[1]);
  return text;
}

/** The header block of such parts. */
export function hpackBlock(...parts: readonly string[]): Buffer {
  return Buffer.from(parts.join(''), 'latin1');
}
