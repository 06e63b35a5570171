/** Takes out of an ELF file the zeros between its segments, which nothing maps: the base has 1.8 MB of them, and the
 *  injection of the payload leaves some more. */
import { readFileSync, writeFileSync } from 'node:fs';
import { kilobytes, say } from './report.ts';

const LOADABLE = 1;
const AARCH64 = 183;

interface Cut {
  readonly start: number;
  readonly length: number;
}

/** The pages of zeros before each loadable segment that do not belong to the one before it. */
function cutsIn(
  elf: Buffer,
  page: number,
  segments: readonly { readonly offset: number; readonly size: number }[],
): Cut[] {
  const cuts: Cut[] = [];
  for (const [index, next] of segments.entries()) {
    const segment = segments[index - 1];
    if (segment === undefined) continue;
    const end = Math.floor(next.offset / page) * page;
    // Sections that are not loaded can stand in between.
    let start = end;
    while (start > segment.offset + segment.size && elf[start - 1] === 0) start -= 1;
    start = Math.ceil(start / page) * page;
    if (start < end) cuts.push({ start, length: end - start });
  }
  return cuts;
}

/** Closes the gaps in `file` (64 bits, little-endian). Addresses stay as they are, only offsets in the file change. */
export function removePadding(file: string): void {
  const elf = readFileSync(file);
  // The largest page that a kernel for this machine can have: a segment's offset and address agree modulo that.
  const page = elf.readUInt16LE(0x12) === AARCH64 ? 0x1_0000 : 0x1000;
  const u64 = (at: number): number => Number(elf.readBigUInt64LE(at));
  const programHeaders = Array.from(
    { length: elf.readUInt16LE(0x38) },
    (_, index) => u64(0x20) + index * elf.readUInt16LE(0x36),
  );
  const sectionHeaders = Array.from(
    { length: elf.readUInt16LE(0x3c) },
    (_, index) => u64(0x28) + index * elf.readUInt16LE(0x3a),
  );
  const loadable = programHeaders.filter((at) => elf.readUInt32LE(at) === LOADABLE);
  const segments = loadable
    .map((at) => ({ offset: u64(at + 8), size: u64(at + 32) }))
    .sort((a, b) => a.offset - b.offset);
  const cuts = cutsIn(elf, page, segments);
  const moved = (offset: number): bigint =>
    BigInt(cuts.reduce((to, { start, length }) => (offset >= start + length ? to - length : to), offset));

  for (const at of programHeaders) elf.writeBigUInt64LE(moved(u64(at + 8)), at + 8);
  // Huge pages, for which one segment was aligned, are off unless asked for (--use-largepages).
  for (const at of loadable) elf.writeBigUInt64LE(BigInt(page), at + 48);
  for (const at of sectionHeaders) elf.writeBigUInt64LE(moved(u64(at + 24)), at + 24);
  elf.writeBigUInt64LE(moved(u64(0x28)), 0x28);

  const parts: Buffer[] = [];
  let from = 0;
  for (const { start, length } of cuts) {
    parts.push(elf.subarray(from, start));
    from = start + length;
  }
  parts.push(elf.subarray(from));
  writeFileSync(file, Buffer.concat(parts));
  say(`Padding between segments: ${kilobytes(cuts.reduce((sum, { length }) => sum + length, 0))} taken out`);
}
