/** Switches off a debugging aid of the runtime, as its own function absl::SetMutexDeadlockDetectionMode() would. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fail, say } from './report.ts';

// Abseil, absl/synchronization/mutex.cc: what to do about locks that are taken in different orders. Official builds of
// Node.js 24 look for that at each lock (kAbort); the graph that they keep of all locks takes 1 MB of memory (17.9
// against 16.9 MB, 31 takes in turns).
const SYMBOL = '_ZN4absl12_GLOBAL__N_124synch_deadlock_detectionE';
const ABORT = 2;
const IGNORE = 0;

const LOADABLE = 1;

/** Where the byte at `address` of a running process stands in its ELF file (64 bits, little-endian). */
function offsetOf(elf: Buffer, address: number): number {
  const tableAt = Number(elf.readBigUInt64LE(0x20));
  const entrySize = elf.readUInt16LE(0x36);
  const entries = elf.readUInt16LE(0x38);
  for (let at = tableAt; at < tableAt + entries * entrySize; at += entrySize) {
    if (elf.readUInt32LE(at) !== LOADABLE) continue;
    const offset = Number(elf.readBigUInt64LE(at + 8));
    const start = Number(elf.readBigUInt64LE(at + 16));
    const sizeInFile = Number(elf.readBigUInt64LE(at + 32));
    if (address >= start && address < start + sizeInFile) return offset + address - start;
  }
  return fail(`No segment of the base holds address 0x${address.toString(16)}`);
}

/** Changes `base`, which must still have its symbols. */
export function switchOffMutexChecks(base: string): void {
  const symbols = execFileSync('nm', [base], { encoding: 'utf8', maxBuffer: 1e9 }).split('\n');
  const found = symbols.map((line) => line.split(' ')).filter(([, , name]) => name === SYMBOL);
  const [address] = found[0] ?? [];
  if (found.length !== 1 || address === undefined)
    fail(`${SYMBOL} stands ${found.length} times in the base, want once`);
  const elf = readFileSync(base);
  const at = offsetOf(elf, Number.parseInt(address, 16));
  if (elf.readUInt32LE(at) !== ABORT) fail(`${SYMBOL} is ${elf.readUInt32LE(at)} in the base, want ${ABORT}`);
  elf.writeUInt32LE(IGNORE, at);
  writeFileSync(base, elf);
  say('Mutexes: the runtime no longer keeps a graph of them');
}
