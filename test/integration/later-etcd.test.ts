// What the releases from 3.6 on do otherwise, against a server that does the same; ETCD_DIR_… adds the real ones to other tests.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { EtcdError } from '../../src/base/errors.ts';
import { lookAt } from '../../src/commands/check/endpoint-look.ts';
import { TlsFiles } from '../../src/connect/tls-files.ts';
import { makeAdminMembers } from '../../src/etcd/admin-client.ts';
import { findV2Lock } from '../../src/etcd/v2-lock.ts';
import { LaterEtcd } from '../support/later-etcd.ts';
import {
  configWith,
  depsOf,
  endpointFrom,
  errorOf,
  newLeaseId,
  reach,
  withinMs,
} from '../support/transport.ts';

void describe('etcd 3.6', () => {
  let etcd: LaterEtcd;
  beforeEach(async () => {
    etcd = await LaterEtcd.start('3.6.11');
  });
  afterEach(() => etcd[Symbol.asyncDispose]());

  test('that refuses its status takes part in the lock: no release that is too old does that', async () => {
    using member = await reach(etcd.endpoint);
    assert.equal((await member.grant(newLeaseId(), 9_000, withinMs())).ttlMs, 9_000);
    assert.equal((await member.readOldest('/_locks/_ctdb/X/', withinMs())).oldest, null);
  });

  test('that refuses its status still tells check its version, by a page that also names its storage', async () => {
    const { clock, names } = depsOf();
    const config = configWith({ endpoints: [endpointFrom(etcd.endpoint)] });
    const [member] = makeAdminMembers(config, config.endpoints, { clock, names });
    assert.ok(member !== undefined);
    try {
      assert.equal((await errorOf(member.status(withinMs()))).kind, 'permission');
      const files = new TlsFiles(config.tls);
      const directory = '/_locks/_ctdb/X/';
      const look = await lookAt(member, { config, directory, files, clock, names, timedQuestions: 1 });
      assert.ok(!(look instanceof EtcdError));
      const { status, version, header } = look.seen;
      assert.deepEqual([status, version, header?.clusterId], [undefined, '3.6.11', '1']);
    } finally {
      member.close();
    }
  });

  test('has no API v2: nothing is found there, and one question is enough', async () => {
    const { clock, names } = depsOf();
    const secure = (): Promise<never> => Promise.reject(new Error('no TLS here'));
    const tools = { clock, names, secure, login: undefined };
    const endpoints = [endpointFrom(etcd.endpoint)];
    assert.equal(await findV2Lock(endpoints, '/_locks/_ctdb/X', tools, clock.now() + 2_000), undefined);
    assert.deepEqual(etcd.pages, ['/v2/keys/_locks/_ctdb/X?quorum=true&recursive=true&sorted=true']);
  });
});
