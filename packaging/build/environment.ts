/** Takes from the base the environment variables that it obeys before any JavaScript could look at them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fail, say } from './report.ts';

// Read by the runtime's C++ at start: a bad NODE_EXTRA_CA_CERTS ends in a warning on stderr, which is CTDB's log, others
// make directories. All further variables of the runtime are dealt with by boot.cjs.
const READ_AT_START = [
  'NODE_COMPILE_CACHE',
  'NODE_DEBUG_NATIVE',
  'NODE_EXTRA_CA_CERTS',
  'NODE_ICU_DATA',
  'NODE_REDIRECT_WARNINGS',
  'NODE_USE_SYSTEM_CA',
  'NODE_V8_COVERAGE',
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
  for (const name of READ_AT_START) {
    const found = cStrings(bytes, name);
    const [at] = found;
    if (at === undefined || found.length > 1) {
      fail(`${name} stands ${found.length} times in the base as a C string, want once`);
    }
    bytes.write(NEVER_IN_A_NAME, at, 'latin1');
  }
  writeFileSync(base, bytes);
  say(`Environment: ${READ_AT_START.length} variables of the runtime are not asked for any more`);
}
