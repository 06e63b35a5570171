import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import { makeSchema, withLaterFields } from '../../../packaging/build/codec-schema.ts';
import { makePackageDefinition } from '../../../packaging/build/codec-services.ts';
import { Codec } from '../../../packaging/build/codec.ts';
import { FIRST_SEED, ROUNDS } from '../../support/properties.ts';

const PROTO_FILE = fileURLToPath(new URL('../../../node_modules/etcd3/proto/rpc.proto', import.meta.url));
// The options of the client library (etcd3, lib/connection-pool.js).
const OPTIONS = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
const MESSAGES_PER_TYPE = 60;

const schema = makeSchema(PROTO_FILE);
const codec = new Codec(schema);
const library = new protobuf.Root().loadSync(PROTO_FILE, { keepCase: true });
library.resolveAll();

type Random = () => number;

/** mulberry32: small, and the same numbers on every machine. */
function makeRandom(seed: number): Random {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pick<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[Math.floor(random() * choices.length)];
  assert.notEqual(choice, undefined);
  return choice as T;
}

function randomInteger(random: Random, bits: number, signed: boolean): string {
  const width = Math.floor(random() * (bits + 1));
  let value = 0n;
  for (let i = 0; i < width; i++) value = value * 2n + BigInt(Math.round(random()));
  if (random() < 0.1) value = 2n ** BigInt(signed ? bits - 1 : bits) - 1n;
  return (signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)).toString();
}

function randomScalar(random: Random, type: string): unknown {
  switch (type) {
    case 'bool':
      return random() < 0.5;
    case 'string':
      return Array.from({ length: Math.floor(random() * 60) }, () =>
        pick(random, ['a', '/', 'é', '𝛌', '€', '\0']),
      ).join('');
    case 'bytes': {
      const bytes = Buffer.from(
        Array.from({ length: Math.floor(random() * 300) }, () => Math.floor(random() * 256)),
      );
      return pick(random, [bytes, new Uint8Array(bytes), bytes.toString('base64')]);
    }
    case 'int32':
      return Number(randomInteger(random, 32, true));
    case 'uint32':
      return Number(randomInteger(random, 32, false));
    case 'int64':
    case 'uint64': {
      const text = randomInteger(random, 64, type === 'int64');
      return Number.isSafeInteger(Number(text)) && random() < 0.5 ? Number(text) : text;
    }
    default:
      throw new Error(`No random value for protobuf type ${type}`);
  }
}

function randomValue(random: Random, field: protobuf.Field, depth: number): unknown {
  if (field.resolvedType instanceof protobuf.Type)
    return randomMessage(random, field.resolvedType, depth + 1);
  if (field.resolvedType !== null) {
    const { values } = field.resolvedType;
    // A number that this version does not know is passed on, as newer servers may send one.
    return random() < 0.1
      ? 77
      : random() < 0.5
        ? pick(random, Object.keys(values))
        : pick(random, Object.values(values));
  }
  return randomScalar(random, field.type);
}

/** Each field absent, null, default or anything; members of a oneof together, too. */
function randomMessage(random: Random, type: protobuf.Type, depth = 0): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  for (const field of type.fieldsArray) {
    if (random() < 0.35 || (depth > 4 && field.resolvedType instanceof protobuf.Type)) continue;
    if (random() < 0.05) message[field.name] = null;
    else if (field.repeated) {
      message[field.name] = Array.from({ length: Math.floor(random() * 4) }, () =>
        randomValue(random, field, depth),
      );
    } else message[field.name] = randomValue(random, field, depth);
  }
  return message;
}

function libraryEncode(type: protobuf.Type, message: object): Buffer {
  return Buffer.from(type.encode(type.fromObject(message as Record<string, unknown>)).finish());
}

function libraryDecode(type: protobuf.Type, bytes: Buffer): Record<string, unknown> {
  return type.toObject(type.decode(bytes), OPTIONS);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

/** A field of each wire type with a number that no message uses, a group in a group included. */
function unknownFields(): Buffer {
  const tag = (wireType: number): number[] => varint(4000 * 8 + wireType);
  return Buffer.from([
    ...[...tag(0), ...varint(300)],
    ...[...tag(1), 1, 2, 3, 4, 5, 6, 7, 8],
    ...[...tag(2), 3, 9, 9, 9],
    ...[...tag(3), ...tag(3), 8, 1, ...tag(4), ...tag(4)],
    ...[...tag(5), 1, 2, 3, 4],
  ]);
}

for (const name of Object.keys(schema.messages)) {
  const type = library.lookupType(name);

  void test(`the codec writes and reads ${name} as the library does`, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + MESSAGES_PER_TYPE * ROUNDS; seed++) {
      const random = makeRandom(seed);
      const message = randomMessage(random, type);
      const bytes = libraryEncode(type, message);
      const because = `seed ${seed}, ${name}`;
      assert.deepEqual(codec.encode(name, message), bytes, because);
      const expected = libraryDecode(type, bytes);
      const decoded = codec.decode(name, bytes);
      assert.deepEqual(decoded, expected, because);
      assert.deepEqual(Object.keys(decoded), Object.keys(expected), because);
      const withUnknown = Buffer.concat([unknownFields(), bytes, unknownFields()]);
      assert.deepEqual(codec.decode(name, withUnknown), expected, because);
      const twice = Buffer.concat([bytes, bytes]);
      assert.deepEqual(codec.decode(name, twice), libraryDecode(type, twice), because);
    }
  });

  void test(`the codec refuses a shortened ${name} or reads it as the library does`, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + 10 * ROUNDS; seed++) {
      const bytes = libraryEncode(type, randomMessage(makeRandom(seed), type));
      for (let length = 0; length < Math.min(bytes.length, 200); length++) {
        const part = bytes.subarray(0, length);
        let decoded: unknown;
        try {
          decoded = codec.decode(name, part);
        } catch (error) {
          // The library takes some numbers and texts that end too early for whole ones; the codec never does.
          assert.ok(error instanceof RangeError, `seed ${seed}, ${name}, ${length} bytes: ${String(error)}`);
          continue;
        }
        assert.deepEqual(decoded, libraryDecode(type, part), `seed ${seed}, ${name}, ${length} bytes`);
      }
    }
  });
}

void test('the services, methods and paths are those of the library', () => {
  const expected = loadSync(PROTO_FILE, OPTIONS);
  const isService = (entry: object): entry is ServiceDefinition => !('format' in entry);
  const services = Object.entries(expected).filter(([, entry]) => isService(entry));
  const ours = makePackageDefinition(schema);
  assert.deepEqual(Object.keys(ours).sort(), services.map(([name]) => name).sort());
  for (const [name, service] of services) {
    assert.deepEqual(Object.keys(ours[name] ?? {}), Object.keys(service));
    for (const [method, definition] of Object.entries(service as ServiceDefinition)) {
      const { path, requestStream, responseStream, originalName, ...rest } = definition;
      const our = ours[name]?.[method];
      assert.ok(our);
      assert.deepEqual(
        [our.path, our.requestStream, our.responseStream, our.originalName],
        [path, requestStream, responseStream, originalName],
      );
      const typeOf = (definition: MessageTypeDefinition): string =>
        (definition.type as { name: string }).name;
      const find = (short: string): protobuf.Type => library.lookupType(short);
      const request = randomMessage(makeRandom(1), find(`etcdserverpb.${typeOf(rest.requestType)}`));
      const response = randomMessage(makeRandom(2), find(`etcdserverpb.${typeOf(rest.responseType)}`));
      assert.deepEqual(our.requestSerialize(request), rest.requestSerialize(request));
      assert.deepEqual(our.responseSerialize(response), rest.responseSerialize(response));
      assert.deepEqual(
        our.requestDeserialize(rest.requestSerialize(request)),
        rest.requestDeserialize(rest.requestSerialize(request)),
      );
      assert.deepEqual(
        our.responseDeserialize(rest.responseSerialize(response)),
        rest.responseDeserialize(rest.responseSerialize(response)),
      );
    }
  }
});

void test('what cannot be written as asked is an error, not another value', () => {
  const refused: [string, object][] = [
    ['etcdserverpb.RangeRequest', { limit: 1.5 }],
    ['etcdserverpb.RangeRequest', { limit: 'soon' }],
    ['etcdserverpb.RangeRequest', { limit: '9223372036854775808' }],
    ['etcdserverpb.ResponseHeader', { cluster_id: '-1' }],
    ['etcdserverpb.RangeRequest', { limit: Number.MAX_SAFE_INTEGER + 1 }],
    ['etcdserverpb.RangeRequest', { sort_order: 'Sideways' }],
    ['etcdserverpb.RangeRequest', { key: 'not base64!' }],
    ['etcdserverpb.RangeRequest', []],
    ['etcdserverpb.TxnRequest', { compare: {} }],
    ['etcdserverpb.RequestOp', { request_put: 'text' }],
    ['etcdserverpb.NoSuchMessage', {}],
  ];
  for (const [type, message] of refused)
    assert.throws(() => codec.encode(type, message), JSON.stringify(message));
});

void test('a message nested deeper than the library allows is refused', () => {
  let bytes = Buffer.alloc(0);
  for (let level = 0; level < 110; level++) {
    // TxnRequest.success (2) > RequestOp.request_txn (4) > TxnRequest …
    const inner = Buffer.from([0x22, ...varint(bytes.length), ...bytes]);
    bytes = Buffer.from([0x12, ...varint(inner.length), ...inner]);
  }
  assert.throws(() => libraryDecode(library.lookupType('etcdserverpb.TxnRequest'), bytes), /depth/);
  assert.throws(() => codec.decode('etcdserverpb.TxnRequest', bytes), /inside each other/);
});

void test('an answer of many empty messages is refused, which would take 500 times its size', () => {
  const keys = (count: number): Buffer => Buffer.alloc(2 * count, Buffer.from('1200', 'hex')); // RangeResponse.kvs (2)
  assert.equal((codec.decode('etcdserverpb.RangeResponse', keys(9_000))['kvs'] as unknown[]).length, 9_000);
  assert.throws(() => codec.decode('etcdserverpb.RangeResponse', keys(10_000)), /more than 10000 messages/);
});

test('the quota in the status of etcd 3.6 is read, and is 0 in that of an older one', () => {
  const later = new Codec(withLaterFields(schema));
  const status = { version: '3.6.14', dbSize: '20480', dbSizeQuota: '2147483648' };
  const bytes = later.encode('etcdserverpb.StatusResponse', status);
  assert.deepEqual(bytes.subarray(-6), Buffer.from([0x60, 0x80, 0x80, 0x80, 0x80, 0x08])); // field 12, varint
  assert.equal(later.decode('etcdserverpb.StatusResponse', bytes)['dbSizeQuota'], '2147483648');
  const older = codec.encode('etcdserverpb.StatusResponse', status);
  assert.equal(later.decode('etcdserverpb.StatusResponse', older)['dbSizeQuota'], '0');
});
