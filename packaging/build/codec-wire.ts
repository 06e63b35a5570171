/** The wire format of protocol buffers: tags, varints and lengths, without any knowledge of messages. */

export const VARINT = 0;
const FIXED64 = 1;
export const DELIMITED = 2;
const GROUP_START = 3;
const GROUP_END = 4;
const FIXED32 = 5;

// As in protobufjs and protoc: deeper nesting than this is an attack, not a message.
export const DEPTH_MAX = 100;

// An empty message has two bytes on the wire, and takes 1.1 kB of memory. 10,000 are 11 MB, and more than a directory of locks
// ever has keys.
const MESSAGES_MOST = 10_000;

/** Bytes as they are written; grows as needed. */
export class Writer {
  #buffer = Buffer.allocUnsafe(128);
  #length = 0;

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  varint(low: number, high = 0): void {
    this.#reserve(10);
    while (high !== 0 || low > 127) {
      this.#buffer[this.#length++] = (low & 127) | 128;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#buffer[this.#length++] = low;
  }

  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Writes what `body` writes, preceded by its length. */
  delimited(body: () => void): void {
    const start = this.#length;
    body();
    const size = this.#length - start;
    this.varint(size);
    const prefix = Buffer.from(this.#buffer.subarray(start + size, this.#length));
    this.#buffer.copyWithin(start + prefix.length, start, start + size);
    this.#buffer.set(prefix, start);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#length + count));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

/** Bytes as they are read. `low` and `high` are the halves of the last varint, as unsigned 32-bit numbers. */
export class Reader {
  position = 0;
  low = 0;
  high = 0;
  readonly #bytes: Buffer;
  #messages = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Called at the beginning of each message. Throws when there are more than any answer of etcd has. */
  countMessage(): void {
    this.#messages += 1;
    if (this.#messages > MESSAGES_MOST)
      throw new RangeError(
        `Cannot read a protobuf message: it has more than ${MESSAGES_MOST} messages in it`,
      );
  }

  varint(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.position++];
      if (byte === undefined) throw new RangeError('Cannot read a protobuf message: it ends inside a number');
      const bits = byte & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 128) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw new RangeError('Cannot read a protobuf message: a number has more than 10 bytes');
  }

  /** Reads a length and returns the position after that many bytes. */
  end(limit: number): number {
    this.varint();
    const end = this.position + this.low;
    if (end > limit)
      throw new RangeError(`Cannot read a protobuf message: it ends at byte ${limit}, want ${end}`);
    return end;
  }

  slice(end: number): Buffer {
    const slice = this.#bytes.subarray(this.position, end);
    this.position = end;
    return slice;
  }

  skip(wireType: number, limit: number, depth: number): void {
    if (wireType === VARINT) this.varint();
    else if (wireType === FIXED64) this.position += 8;
    else if (wireType === DELIMITED) this.position = this.end(limit);
    else if (wireType === FIXED32) this.position += 4;
    else if (wireType === GROUP_START && depth < DEPTH_MAX) this.#skipGroup(limit, depth + 1);
    else throw new Error(`Cannot read a protobuf message: wire type ${wireType} at byte ${this.position}`);
    if (this.position > limit) throw new RangeError('Cannot read a protobuf message: it ends inside a field');
  }
  #skipGroup(limit: number, depth: number): void {
    for (;;) {
      this.varint();
      const wireType = this.low & 7;
      if (wireType === GROUP_END) return;
      this.skip(wireType, limit, depth);
    }
  }
}
