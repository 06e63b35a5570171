/** What a frame has to be like, whatever has come before it (RFC 9113, section 6). */
import {
  CODE,
  DEFAULT_FRAME_BYTES,
  FLAG,
  type Frame,
  LARGEST_FRAME_BYTES,
  LARGEST_WINDOW_BYTES,
  SETTING,
  TYPE,
} from './http2-frames.ts';
import { readUint16, readUint32 } from './network-order.ts';

/** A broken rule that ends the connection; `code` says which one to the other side. */
export class Http2Fault extends Error {
  override readonly name = 'Http2Fault';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const PRIORITY_BYTES = 5;
const SETTING_BYTES = 6;
const PING_BYTES = 8;
const GO_AWAY_BYTES = 8;
const NUMBER_BYTES = 4;

/** The payload of DATA or HEADERS without its padding and its priority. Throws `Http2Fault`. */
export function contentOf({ type, flags, payload }: Frame): Buffer {
  const isPadded = (flags & FLAG.padded) !== 0;
  const padding = isPadded ? payload[0] : 0;
  const start = isPadded ? 1 : 0;
  if (padding === undefined || start + padding > payload.length)
    throw new Http2Fault(CODE.protocolError, 'padding is longer than its frame');
  const content = payload.subarray(start, payload.length - padding);
  if (type !== TYPE.headers || (flags & FLAG.priority) === 0) return content;
  if (payload.length < PRIORITY_BYTES) throw new Http2Fault(CODE.frameSizeError, 'HEADERS of a wrong size');
  if (content.length < PRIORITY_BYTES)
    throw new Http2Fault(CODE.protocolError, 'padding is longer than its frame');
  return content.subarray(PRIORITY_BYTES);
}

/** Throws `Http2Fault` when a window grows beyond what there is. */
export function checkWindow(bytes: number): void {
  if (bytes > LARGEST_WINDOW_BYTES) throw new Http2Fault(CODE.flowControlError, `a window of ${bytes} bytes`);
}

/** The settings of a frame, in their order. Throws `Http2Fault` for a value that none may have. */
export function settingsOf({ payload }: Frame): (readonly [id: number, value: number])[] {
  const settings: (readonly [id: number, value: number])[] = [];
  for (let at = 0; at < payload.length; at += SETTING_BYTES) {
    const id = readUint16(payload, at);
    const value = readUint32(payload, at + 2);
    if (id === SETTING.initialWindowSize) checkWindow(value);
    if (id === SETTING.maxFrameSize && (value < DEFAULT_FRAME_BYTES || value > LARGEST_FRAME_BYTES))
      throw new Http2Fault(CODE.protocolError, `frames of ${value} bytes`);
    settings.push([id, value]);
  }
  return settings;
}

function mustBeOfConnection({ streamId }: Frame, name: string): void {
  if (streamId !== 0) throw new Http2Fault(CODE.protocolError, `${name} on a stream`);
}

function mustHaveSize(isSo: boolean, name: string): void {
  if (!isSo) throw new Http2Fault(CODE.frameSizeError, `${name} of a wrong size`);
}

/** Throws `Http2Fault` for a frame that nobody may send to a client. */
export function checkFrame(frame: Frame): void {
  const { length } = frame.payload;
  switch (frame.type) {
    case TYPE.rstStream:
      mustHaveSize(length === NUMBER_BYTES, 'RST_STREAM');
      break;
    case TYPE.settings:
      mustBeOfConnection(frame, 'SETTINGS');
      mustHaveSize((frame.flags & FLAG.ack) === 0 ? length % SETTING_BYTES === 0 : length === 0, 'SETTINGS');
      break;
    case TYPE.pushPromise:
      throw new Http2Fault(CODE.protocolError, 'it pushes');
    case TYPE.ping:
      mustBeOfConnection(frame, 'PING');
      mustHaveSize(length === PING_BYTES, 'PING');
      break;
    case TYPE.goAway:
      mustBeOfConnection(frame, 'GOAWAY');
      mustHaveSize(length >= GO_AWAY_BYTES, 'GOAWAY');
      break;
    case TYPE.windowUpdate:
      mustHaveSize(length === NUMBER_BYTES, 'WINDOW_UPDATE');
      break;
    default:
  }
}
