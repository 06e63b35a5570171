/** Takes from the base the environment variables with which it could hang or end before any JavaScript looks at them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fail, say } from './report.ts';

// With these the helper would give no answer. boot.cjs starts the helper without the other variables; docs/security.md lists
// what acts before it.
const NAMES = [
  // Each names a directory, which the runtime makes before the program's first line, or writes to when boot.cjs starts it
  // again. In a directory that hangs, and in /proc, it waits for ever.
  'NODE_COMPILE_CACHE',
  'NODE_V8_COVERAGE',
  // Names a file. The start waits for ever for a FIFO, and for a file system that hangs.
  'OPENSSL_CONF',
  // The runtime refuses it in a packed program, and ends.
  'NODE_REPL_EXTERNAL_MODULE',
];

// No variable's name has one, so the name that the base asks for is never set.
const NEVER_IN_A_NAME = '=';

/** Where `name` stands as a C string. In V8's snapshot it stands too, behind its length; that one is never asked for. */
function cStrings(bytes: Buffer, name: string): number[] {
  const found: number[] = [];
  const string = `\0${name}\0`;
  for (let at = bytes.indexOf(string); at >= 0; at = bytes.indexOf(string, at + 1)) {
    if (bytes.readUInt32LE(at - 3) !== name.length) found.push(at + 1);
  }
  return found;
}

/** Changes the names for which the base asks the environment. Only their C strings: what its scripts say of them stays. */
export function closeEnvironment(base: string): void {
  const bytes = readFileSync(base);
  for (const name of NAMES) {
    const found = cStrings(bytes, name);
    const [at] = found;
    if (at === undefined || found.length > 1) {
      fail(`${name} stands ${found.length} times in the base as a C string, want once`);
    }
    bytes.write(NEVER_IN_A_NAME, at, 'latin1');
  }
  writeFileSync(base, bytes);
  say(`Environment: ${NAMES.length} variables of the runtime are not asked for any more`);
}
