import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCall } from '../../../src/etcd/call.ts';
import type { EtcdConnection } from '../../../src/connect/connection.ts';
import { type CallEvents, GrpcCall, type RpcStatus } from '../../../src/grpc-call.ts';

const LIMITS = { largestSentBytes: 1_000, largestReceivedBytes: 1_000 };

/** A connection on which calls can begin and get no further; `started` are what they are told by. */
class NoConnection {
  readonly started: CallEvents[] = [];

  startCall(_path: string, _metadata: unknown, events: CallEvents): GrpcCall {
    this.started.push(events);
    return new GrpcCall(events, LIMITS);
  }

  get asConnection(): EtcdConnection {
    return this as unknown as EtcdConnection;
  }
}

function explode(): never {
  throw new Error('no such field');
}

function unexpected(): never {
  throw new Error('This must not be told');
}

test('a call whose request cannot be made is not begun', () => {
  const connection = new NoConnection();
  const method = { path: '/a.B/C', requestSerialize: explode, responseDeserialize: String };
  const start = (): unknown =>
    startCall(connection.asConnection, method, {}, true, {}, unexpected, unexpected);
  assert.throws(start, /no such field/);
  assert.deepEqual(connection.started, []);
});

test('an answer that cannot be read ends the call, once', () => {
  const connection = new NoConnection();
  const method = { path: '/a.B/C', requestSerialize: () => Buffer.alloc(0), responseDeserialize: explode };
  const ends: RpcStatus[] = [];
  const call = startCall(connection.asConnection, method, {}, true, {}, unexpected, (status) => {
    ends.push(status);
  });
  connection.started[0]?.onMessage(Buffer.from('x'));
  call.fail({ code: 14, details: 'Connection dropped' });
  assert.deepEqual(ends, [{ code: 13, details: 'Response message parsing error: no such field' }]);
});
