import type { HeaderField } from './hpack.ts';
import { CODE } from './http2-frames.ts';
import type { Http2Session } from './http2-session.ts';
import type { Http2Stream } from './http2-stream.ts';
import { readUint32, writeUint32 } from './network-order.ts';

/** How a call ended (grpc, `doc/statuscodes.md`). */
export interface RpcStatus {
  readonly code: number;
  readonly details: string;
  /** Why there was no connection to make the call on. Never there in what came from the other side. */
  readonly connectError?: Error;
}

export const STATUS = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** What a call tells; `onEnd` once, and nothing after it. */
export interface CallEvents {
  /** The bytes are the receiver's to keep. */
  readonly onMessage: (bytes: Buffer) => void;
  readonly onEnd: (status: RpcStatus) => void;
}

/** Most bytes of one message. */
export interface MessageLimits {
  readonly largestSentBytes: number;
  readonly largestReceivedBytes: number;
}

// Before each message: whether it is compressed, and its length (grpc, `doc/PROTOCOL-HTTP2.md`).
const HEAD_BYTES = 5;

const NO_STATUS = 'Received RST_STREAM with code 0 (Call ended without gRPC status)';

/** What the same page says of a reset stream, with the words that administrators find elsewhere. */
function statusFromReset(code: number): RpcStatus {
  switch (code) {
    case CODE.noError:
      return { code: STATUS.internal, details: NO_STATUS };
    case CODE.refusedStream:
      return { code: STATUS.unavailable, details: 'Stream refused by server' };
    case CODE.cancel:
      return { code: STATUS.cancelled, details: 'Call cancelled' };
    case CODE.enhanceYourCalm:
      return { code: STATUS.resourceExhausted, details: 'Bandwidth exhausted or memory limit exceeded' };
    case CODE.inadequateSecurity:
      return { code: STATUS.permissionDenied, details: 'Protocol not secure enough' };
    case CODE.internalError:
      return { code: STATUS.internal, details: 'Received RST_STREAM with code 2 (Internal server error)' };
    default:
      return { code: STATUS.internal, details: `Received RST_STREAM with code ${code}` };
  }
}

/** grpc, `doc/http-grpc-status-mapping.md`. */
function statusFromHttp(httpStatus: string): RpcStatus {
  const details = `Received HTTP status code ${httpStatus}`;
  switch (httpStatus) {
    case '400':
      return { code: STATUS.internal, details };
    case '401':
      return { code: STATUS.unauthenticated, details };
    case '403':
      return { code: STATUS.permissionDenied, details };
    case '404':
      return { code: STATUS.unimplemented, details };
    case '429':
    case '502':
    case '503':
    case '504':
      return { code: STATUS.unavailable, details };
    default:
      return { code: STATUS.unknown, details };
  }
}

/** `grpc-message` comes percent-encoded; one that is not is shown as it came. */
function decodeMessage(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** One call of gRPC, on one stream of HTTP/2: messages as bytes there and back, and a status. */
export class GrpcCall {
  readonly #events: CallEvents;
  readonly #limits: MessageLimits;
  #stream: Http2Stream | undefined;
  /** What is to be sent, until there is a stream for it. */
  #pending: Buffer[] = [];
  #isComplete = false;
  #isOver = false;
  #httpStatus: string | undefined;
  /** The pieces of a message whose end has not come, and how many bytes they have. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  /** With fewer there is nothing to be done. */
  #wantedBytes = HEAD_BYTES;

  constructor(events: CallEvents, limits: MessageLimits) {
    this.#events = events;
    this.#limits = limits;
  }

  /** Begins on a connection that stands. */
  start(session: Http2Session, headers: Buffer): void {
    if (this.#isOver) return;
    this.#stream = session.open(headers, {
      onHeaders: (received, isLast) => {
        this.#readHeaders(received, isLast);
      },
      onData: (bytes, isLast) => {
        this.#readData(bytes, isLast);
      },
      onReset: (code) => {
        this.fail(this.#strangeHttp() ?? statusFromReset(code));
      },
      onLost: () => {
        this.fail({ code: STATUS.unavailable, details: 'Connection dropped' });
      },
    });
    if (this.#stream === undefined) {
      this.fail({ code: STATUS.unavailable, details: 'Connection dropped' });
      return;
    }
    const pending = this.#pending;
    this.#pending = [];
    if (pending.length > 0 || this.#isComplete) this.#stream.send(Buffer.concat(pending), this.#isComplete);
  }

  /** Sends a message; the last one ends our side of the call. */
  send(message: Buffer, isLast: boolean): void {
    if (this.#isOver || this.#isComplete) return;
    if (message.length > this.#limits.largestSentBytes) {
      const details = `Attempted to send message with a size larger than ${this.#limits.largestSentBytes}`;
      this.#giveUp({ code: STATUS.resourceExhausted, details });
      return;
    }
    const head = Buffer.alloc(HEAD_BYTES);
    writeUint32(head, 1, message.length);
    this.#isComplete = isLast;
    if (this.#stream === undefined) this.#pending.push(head, message);
    else this.#stream.send(Buffer.concat([head, message]), isLast);
  }

  /** Gives the call up; no event comes after this. */
  cancel(): void {
    this.#isOver = true;
    this.#stream?.cancel();
  }

  /** Ends the call with a status that did not come from the other side. */
  fail(status: RpcStatus): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.onEnd(status);
  }

  #giveUp(status: RpcStatus): void {
    this.#stream?.cancel();
    this.fail(status);
  }

  /** What an answer that is not gRPC's comes to: more than anything that goes wrong in reading it. */
  #strangeHttp(): RpcStatus | undefined {
    const status = this.#httpStatus;
    return status === undefined || status === '200' ? undefined : statusFromHttp(status);
  }

  #readHeaders(fields: readonly HeaderField[], isLast: boolean): void {
    const valueOf = (wanted: string): string | undefined => fields.find((field) => field[0] === wanted)?.[1];
    this.#httpStatus ??= valueOf(':status');
    if (!isLast) return;
    const code = valueOf('grpc-status');
    if (code !== undefined) {
      const details = decodeMessage(valueOf('grpc-message') ?? '');
      if (/^\d{1,9}$/.test(code)) this.fail({ code: Number(code), details });
      else this.fail({ code: STATUS.unknown, details: `Received an unknown status "${code}"` });
    } else if (this.#httpStatus !== undefined) this.fail(statusFromHttp(this.#httpStatus));
    else this.#endWithoutStatus();
  }

  #endWithoutStatus(): void {
    this.fail(this.#strangeHttp() ?? { code: STATUS.internal, details: NO_STATUS });
  }

  #readData(bytes: Buffer, isLast: boolean): void {
    this.#parts.push(bytes);
    this.#partBytes += bytes.length;
    while (this.#partBytes >= this.#wantedBytes) {
      const all = this.#parts.length === 1 ? (this.#parts[0] ?? bytes) : Buffer.concat(this.#parts);
      const end = HEAD_BYTES + readUint32(all, 1);
      if (this.#isRefused(all[0] ?? 0, end - HEAD_BYTES)) return;
      const isWhole = all.length >= end;
      const rest = isWhole ? all.subarray(end) : all;
      this.#parts = rest.length === 0 ? [] : [rest];
      this.#partBytes = rest.length;
      this.#wantedBytes = isWhole ? HEAD_BYTES : end;
      if (!isWhole) break;
      this.#events.onMessage(Buffer.from(all.subarray(HEAD_BYTES, end)));
      if (this.#isOver) return;
    }
    if (isLast) {
      this.#endWithoutStatus();
      return;
    }
    // What is kept must not hold on to the buffer of the socket, which is used again.
    const last = this.#parts.at(-1);
    if (last?.buffer === bytes.buffer) this.#parts[this.#parts.length - 1] = Buffer.from(last);
  }

  /** Ends the call when a message begins that we do not take. */
  #isRefused(compression: number, length: number): boolean {
    const largest = this.#limits.largestReceivedBytes;
    let refusal: RpcStatus | undefined;
    if (compression !== 0) refusal = { code: STATUS.internal, details: 'Received a compressed message' };
    if (length > largest) {
      const details = `Received message larger than max (${length} vs ${largest})`;
      refusal = { code: STATUS.resourceExhausted, details };
    }
    if (refusal === undefined) return false;
    this.#giveUp(this.#strangeHttp() ?? refusal);
    return true;
  }
}
