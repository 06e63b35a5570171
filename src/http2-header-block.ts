import { LARGEST_HEADERS_BYTES } from './hpack.ts';
import { CODE } from './http2-frames.ts';
import { Http2Fault } from './http2-rules.ts';

// A header block in more pieces than this has been cut up to keep us busy.
const MOST_PIECES = 64;

/** A header block that comes in pieces: HEADERS, and CONTINUATION until one has the flag that ends it. */
export class HeaderBlock {
  readonly streamId: number;
  /** Nothing comes on the stream behind it. */
  readonly isLast: boolean;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(streamId: number, isLast: boolean) {
    this.streamId = streamId;
    this.isLast = isLast;
  }

  /** The whole block, when this piece is its end. Throws `Http2Fault` when it becomes too large. */
  add(piece: Buffer, isEnd: boolean): Buffer | undefined {
    this.#bytes += piece.length;
    if (this.#bytes > LARGEST_HEADERS_BYTES || this.#pieces.length >= MOST_PIECES)
      throw new Http2Fault(CODE.enhanceYourCalm, 'a header block is too large');
    if (isEnd && this.#pieces.length === 0) return piece;
    // What arrives is a window on the socket's buffer, which is not to be kept for a few bytes of it.
    this.#pieces.push(Buffer.from(piece));
    return isEnd ? Buffer.concat(this.#pieces) : undefined;
  }
}
