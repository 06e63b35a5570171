/** Frames of HTTP/2 (RFC 9113, sections 4 and 6). */
import { readUint24, readUint32, writeUint16, writeUint24, writeUint32 } from './network-order.ts';

/** What a client says first. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const SETTING = {
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

/** Error codes (RFC 9113, section 7). */
export const CODE = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
} as const;

/** Before either side says otherwise. */
export const DEFAULT_WINDOW_BYTES = 65_535;
export const LARGEST_WINDOW_BYTES = 2 ** 31 - 1;
export const DEFAULT_FRAME_BYTES = 16_384;
export const LARGEST_FRAME_BYTES = 2 ** 24 - 1;

const HEAD_BYTES = 9;
const RESERVED_BIT = 0x8000_0000;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

const NOTHING: Buffer = Buffer.alloc(0);

/** A frame in two pieces, so that a payload need not be copied for it. */
export function frame(type: number, flags: number, streamId: number, payload = NOTHING): Buffer[] {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  writeUint24(head, 0, payload.length);
  head[3] = type;
  head[4] = flags;
  writeUint32(head, 5, streamId);
  return payload.length === 0 ? [head] : [head, payload];
}

/** A payload of one number of 32 bits. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  writeUint32(bytes, 0, value);
  return bytes;
}

/** The payload of SETTINGS. */
export function settingsPayload(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const bytes = Buffer.allocUnsafe(settings.length * 6);
  settings.forEach(([id, value], index) => {
    writeUint16(bytes, index * 6, id);
    writeUint32(bytes, index * 6 + 2, value);
  });
  return bytes;
}

/** Cuts what arrives into frames, wherever the pieces of it end. */
export class FrameReader {
  #bytes: Buffer = NOTHING;

  add(bytes: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
  }

  /** Makes what waits independent of the bytes that were added, which may be overwritten from then on. */
  keepRest(): void {
    if (this.#bytes.length > 0) this.#bytes = Buffer.from(this.#bytes);
  }

  /** The next whole frame; undefined when there is none yet, `tooLarge` for one that is larger than we allow. */
  next(): Frame | 'tooLarge' | undefined {
    const bytes = this.#bytes;
    if (bytes.length < HEAD_BYTES) return undefined;
    const length = readUint24(bytes, 0);
    if (length > DEFAULT_FRAME_BYTES) return 'tooLarge';
    const end = HEAD_BYTES + length;
    if (bytes.length < end) return undefined;
    this.#bytes = bytes.length === end ? NOTHING : bytes.subarray(end);
    const streamId = readUint32(bytes, 5) % RESERVED_BIT;
    return { type: bytes[3] ?? 0, flags: bytes[4] ?? 0, streamId, payload: bytes.subarray(HEAD_BYTES, end) };
  }
}
