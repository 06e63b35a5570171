import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  readUint16,
  readUint24,
  readUint32,
  writeUint16,
  writeUint24,
  writeUint32,
} from '../../src/network-order.ts';
import { values } from '../support/properties.ts';

const WIDTHS = [
  { bytes: 2, read: readUint16, write: writeUint16 },
  { bytes: 3, read: readUint24, write: writeUint24 },
  { bytes: 4, read: readUint32, write: writeUint32 },
] as const;

for (const { bytes, read, write } of WIDTHS) {
  void test(`numbers of ${bytes} bytes are those of the runtime's own methods`, () => {
    const largest = 2 ** (8 * bytes) - 1;
    const number = fc.oneof(
      fc.integer({ min: 0, max: largest }),
      fc.constantFrom(0, 1, 127, 128, 255, 256, largest),
    );
    fc.assert(
      fc.property(number, fc.integer({ min: 0, max: 3 }), (value, at) => {
        const [ours, theirs] = [Buffer.alloc(8, 0xa5), Buffer.alloc(8, 0xa5)];
        write(ours, at, value);
        theirs.writeUIntBE(value, at, bytes);
        assert.deepEqual(ours, theirs);
        assert.equal(read(theirs, at), value);
      }),
      values(),
    );
  });
}
