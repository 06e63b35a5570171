import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { giveBackMemory } from '../../../src/process/give-back-memory.ts';

describe('giveBackMemory', () => {
  it('collects what nothing refers to any more', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const registry = new FinalizationRegistry(resolve);
    (() => {
      registry.register({ large: new Uint8Array(1_000_000) }, 'collected');
    })();
    // An object that was made in this turn of the event loop is kept until its end.
    await new Promise((next) => setImmediate(next));
    giveBackMemory();
    assert.equal(await promise, 'collected');
  });
});
