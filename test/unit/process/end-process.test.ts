import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { makeAnswerPipe } from '../../../src/lock/answer-pipe.ts';
import { endAtFaults } from '../../../src/process/end-process.ts';

/** A process that only says what is done with it, and its stdout. */
function scene(): { self: EventEmitter; did: string[]; answerPipe: ReturnType<typeof makeAnswerPipe> } {
  const did: string[] = [];
  const self = Object.assign(new EventEmitter(), {
    getActiveResourcesInfo: () => [],
    exit: (status: number) => void did.push(`exit ${status}`),
  });
  const answerPipe = makeAnswerPipe(
    (byte) => void did.push(byte),
    () => void did.push('closed'),
  );
  const log = { error: (id: string): void => void did.push(id) };
  endAtFaults(self as unknown as NodeJS.Process, log, answerPipe, 3);
  return { self, did, answerPipe };
}

void describe('an error that was caught nowhere', () => {
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    void it(`ends a claim before the exit, which can wait for a thread (${event})`, () => {
      const { self, did, answerPipe } = scene();
      answerPipe.answer('0');
      self.emit(event, new Error('x'));
      assert.deepEqual(did, ['0', 'internal', 'closed', 'exit 3']);
    });
  }

  void it('is answered with 3 before the lock is held', () => {
    const { self, did } = scene();
    self.emit('uncaughtException', new Error('x'));
    assert.deepEqual(did, ['internal', '3', 'closed', 'exit 3']);
  });
});
