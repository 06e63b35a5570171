/**
 * Numbers as protocols of the network have them, the highest byte first. `Buffer` has such methods too; they check what they
 * are given, and without a JIT the checks cost ten times what they guard.
 */

/** 0 where the bytes have ended: whoever reads has looked at the length. */
function byteAt(bytes: Buffer, at: number): number {
  return bytes[at] ?? 0;
}

export function readUint16(bytes: Buffer, at: number): number {
  return (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1);
}

export function readUint24(bytes: Buffer, at: number): number {
  return (readUint16(bytes, at) << 8) | byteAt(bytes, at + 2);
}

export function readUint32(bytes: Buffer, at: number): number {
  return readUint16(bytes, at) * 0x1_0000 + readUint16(bytes, at + 2);
}

/** @param value 0 to 2^16 - 1; of a larger one the lowest 16 bits are written, and so on below */
export function writeUint16(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function writeUint24(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 16;
  writeUint16(bytes, at + 1, value);
}

export function writeUint32(bytes: Buffer, at: number, value: number): void {
  writeUint16(bytes, at, value >>> 16);
  writeUint16(bytes, at + 2, value);
}
