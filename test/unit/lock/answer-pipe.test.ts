import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeAnswerPipe, ANSWER, type AnswerPipe } from '../../../src/lock/answer-pipe.ts';

function pipe(write?: () => never, close?: () => never): { answerPipe: AnswerPipe; out: string[] } {
  const out: string[] = [];
  const answerPipe = makeAnswerPipe(
    (text) => {
      write?.();
      out.push(text);
    },
    () => {
      out.push('closed');
      close?.();
    },
  );
  return { answerPipe, out };
}

void describe('AnswerPipe', () => {
  void it('speaks with the bytes of ctdb/server/ctdb_cluster_mutex.c', () => {
    assert.deepEqual(ANSWER, { held: '0', contended: '1', timeout: '2', error: '3' });
  });

  void it('writes one byte and no second one', () => {
    const { answerPipe, out } = pipe();
    assert.equal(answerPipe.answered, false);
    assert.equal(answerPipe.answer('0'), true);
    assert.equal(answerPipe.answer('3'), false);
    assert.deepEqual([answerPipe.answered, out], [true, ['0']]);
  });

  void it('says so when nobody reads, and does not try again', () => {
    const { answerPipe, out } = pipe(() => {
      throw new Error('EPIPE');
    });
    assert.equal(answerPipe.answer('0'), false);
    assert.equal(answerPipe.answer('0'), false);
    assert.deepEqual(out, []);
  });

  void it('writes nothing after it was closed, and closes once', () => {
    const { answerPipe, out } = pipe();
    answerPipe.close();
    answerPipe.close();
    assert.equal(answerPipe.answer('0'), false);
    assert.deepEqual(out, ['closed']);
  });

  void it('does not fail when the descriptor is closed already', () => {
    const { answerPipe } = pipe(undefined, () => {
      throw new Error('EBADF');
    });
    answerPipe.close();
  });
});
