import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EtcdErrorKind } from '../../../src/base/errors.ts';
import { closedEarly, ConnectError, noHttp2 } from '../../../src/connect/connect-failure.ts';
import { etcdErrorFrom } from '../../../src/etcd/errors.ts';
import { type ErrorContext, isLoginWanted, isStaleLogin } from '../../../src/etcd/server-errors.ts';
import { SPEAKS_TLS } from '../../../src/connect/tls-errors.ts';
import { NO_TLS_KEYS } from '../../support/tls-config.ts';

const CONTEXT: ErrorContext = {
  endpoint: 'a:2379',
  isSecure: false,
  tls: NO_TLS_KEYS,
  username: 'samba',
  key: '/_locks/_ctdb/X/1a',
  closedBecause: undefined,
};

/** Code and words as etcd and gRPC give them, and what they mean. */
const ERRORS: readonly (readonly [code: number, details: string, kind: EtcdErrorKind, message: RegExp])[] = [
  [5, 'etcdserver: requested lease not found', 'leaseNotFound', /^lease not found$/],
  [9, 'etcdserver: lease already exists', 'leaseExists', /^lease already exists$/],
  [14, 'etcdserver: no leader', 'noLeader', /no raft leader/],
  [14, 'etcdserver: leader changed', 'noLeader', /leader has changed/],
  [9, 'etcdserver: not leader', 'noLeader', /^not leader$/],
  [2, 'not a primary lessor', 'noLeader', /leader has changed/],
  [2, 'raft proposal dropped', 'noLeader', /leader has changed/],
  [14, 'etcdserver: request timed out', 'timeout', /^request timed out$/],
  [
    14,
    'etcdserver: request timed out, possibly due to previous leader failure',
    'timeout',
    /leader failure$/,
  ],
  [2, 'context deadline exceeded', 'timeout', /no answer from the other members/],
  [8, 'etcdserver: too many requests', 'unavailable', /^too many requests$/],
  [9, 'etcdserver: not capable', 'unavailable', /^not capable$/],
  [14, 'etcdserver: not capable', 'unavailable', /^not capable$/],
  [14, 'etcdserver: server stopped', 'unavailable', /^server stopped$/],
  [14, 'etcdserver: rpc not supported for learner', 'unavailable', /learner/],
  // From 3.6 on.
  [9, 'etcdserver: rpc not supported for learner', 'unavailable', /learner/],
  [1, 'context canceled', 'unavailable', /canceled/],
  [8, 'etcdserver: mvcc: database space exceeded', 'noSpace', /NOSPACE/],
  [15, 'etcdserver: corrupt cluster', 'rejected', /CORRUPT/],
  [11, 'etcdserver: too large lease TTL', 'rejected', /^too large lease TTL$/],
  [16, 'etcdserver: invalid auth token', 'unavailable', /login has expired/],
  [3, 'etcdserver: revision of auth store is old', 'unavailable', /changed since the login/],
  [3, 'etcdserver: authentication failed, invalid user ID or password', 'auth', /user "samba"$/],
  [3, 'etcdserver: user name is empty', 'auth', /wants a login/],
  [
    7,
    'etcdserver: permission denied',
    'permission',
    /^permission denied to user "samba" on \/_locks\/_ctdb\/X\/1a$/,
  ],
  [12, 'unknown service etcdserverpb.Lease', 'notEtcd', /unknown service/],
  [12, 'Received HTTP status code 404', 'notEtcd', /HTTP status 404$/],
  [14, 'Received HTTP status code 502', 'unavailable', /HTTP status 502$/],
  [13, 'Response message parsing error: index out of range', 'notEtcd', /cannot be decoded$/],
  [14, 'Connection dropped', 'unavailable', /^Connection dropped$/],
  [1, 'Call cancelled', 'unavailable', /^Call cancelled$/],
  [13, 'Received RST_STREAM with code 2', 'unavailable', /RST_STREAM/],
  [4, 'Deadline exceeded', 'timeout', /./],
  [2, 'etcdserver: something new', 'unknown', /^etcdserver: something new$/],
  [5, 'lease not found', 'unknown', /./],
];

/** Why there was no connection, as the dialler says it, and what that means. */
const UNCONNECTED: readonly (readonly [error: Error, kind: EtcdErrorKind, message: RegExp])[] = [
  [new Error('connect ECONNREFUSED 127.0.0.1:2379'), 'unavailable', /^connection refused$/],
  [new Error('connect EHOSTUNREACH 10.0.0.1:2379'), 'unavailable', /^host unreachable$/],
  [new Error('connect ENETUNREACH 10.0.0.1:2379 - Local (0.0.0.0:0)'), 'unavailable', /^host unreachable$/],
  [new Error('connect ETIMEDOUT 10.0.0.1:2379'), 'unavailable', /^connection timed out$/],
  [new Error('connect EACCES 10.0.0.1:2379'), 'unavailable', /^this host forbids the connection$/],
  [new Error('read ECONNRESET'), 'unavailable', /^connection reset/],
  [noHttp2(false), 'notEtcd', /does not speak HTTP\/2$/],
  [closedEarly(false), 'unavailable', /before HTTP\/2 began$/],
  [new Error('something new'), 'unavailable', /^cannot connect: something new$/],
  [new Error('cannot resolve: getaddrinfo ENOTFOUND a'), 'unavailable', /^host name not found$/],
  [new Error('cannot resolve: getaddrinfo EAI_AGAIN a'), 'unavailable', /^no answer from DNS/],
];

void describe('the words for a failed call', () => {
  for (const [code, details, kind, message] of ERRORS) {
    test(`${code} ${details}: ${kind}`, () => {
      const error = etcdErrorFrom({ code, details }, CONTEXT);
      assert.deepEqual([error.kind, error.endpoint], [kind, 'a:2379']);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n|\.$/);
    });
  }

  for (const [connectError, kind, message] of UNCONNECTED) {
    test(`no connection, ${connectError.message}: ${kind}`, () => {
      const error = etcdErrorFrom({ code: 14, details: connectError.message, connectError }, CONTEXT);
      assert.deepEqual([error.kind, error.endpoint], [kind, 'a:2379']);
      assert.match(error.message, message);
    });
  }

  test('a member cannot speak for the dialler', () => {
    for (const details of [SPEAKS_TLS.message, JSON.stringify(SPEAKS_TLS), 'connect ECONNREFUSED']) {
      const { kind, message } = etcdErrorFrom({ code: 14, details }, CONTEXT);
      assert.deepEqual([kind, message], ['unavailable', details]);
    }
  });

  test('what was found out about a connection arrives whole, whatever it contains', () => {
    const failure = {
      id: 'tls-file',
      kind: 'tls',
      message: 'cannot read cert "etcdserver: permission denied. Resolution note: ": no',
      remedy: 'set "cert"',
    } as const;
    const status = { code: 14, details: '', connectError: new ConnectError(failure) };
    const { id, kind, message, remedy } = etcdErrorFrom(status, CONTEXT);
    assert.deepEqual({ id, kind, message, remedy }, failure);
  });

  test('a connection that the helper closed says why, unless etcd had answered', () => {
    const context = { ...CONTEXT, closedBecause: 'an earlier call got no answer' };
    const cut = etcdErrorFrom({ code: 14, details: 'Connection dropped' }, context);
    assert.deepEqual([cut.kind, cut.message], ['unavailable', 'an earlier call got no answer']);
    const answered = etcdErrorFrom({ code: 5, details: 'etcdserver: requested lease not found' }, context);
    assert.equal(answered.kind, 'leaseNotFound');
  });

  test('only etcd itself can ask for another login', () => {
    const details = 'permission denied, invalid auth token';
    const stranger = { code: 14, details, connectError: new Error(details) };
    assert.deepEqual([isStaleLogin(stranger), isLoginWanted(stranger)], [false, false]);
  });
});
