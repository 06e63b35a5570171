/** Makes the codec's schema from `.proto` files. Runs at build time only. */
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import type { Schema } from './codec.ts';

// The codec knows these; a newer version of the client library with another one must not pass unseen.
const SCALARS = new Set(['bool', 'bytes', 'string', 'int32', 'uint32', 'int64', 'uint64']);

function plainName(object: protobuf.ReflectionObject): string {
  return object.fullName.replace(/^\./, '');
}

function typeName(field: protobuf.Field): string {
  if (field.resolvedType !== null) return plainName(field.resolvedType);
  if (!SCALARS.has(field.type)) {
    throw new Error(`Cannot generate the codec: field ${field.fullName} has type ${field.type}`);
  }
  return field.type;
}

function describeField(field: protobuf.Field): string {
  if (field.map || field.required || (field.options?.['proto3_optional'] ?? false) === true) {
    throw new Error(`Cannot generate the codec: field ${field.fullName} is a map, required or optional`);
  }
  const words = [String(field.id), field.name];
  if (field.repeated) words.push('repeated');
  words.push(typeName(field));
  if (field.partOf !== null) words.push('in', field.partOf.name);
  return words.join(' ');
}

function describeMethod(method: protobuf.Method, originalName: string): string {
  const name = (type: protobuf.Type | null, streams: boolean | undefined): string => {
    if (type === null)
      throw new Error(`Cannot generate the codec: method ${method.fullName} has an unknown type`);
    return (streams === true ? 'stream:' : '') + plainName(type);
  };
  return [
    method.name,
    name(method.resolvedRequestType, method.requestStream),
    name(method.resolvedResponseType, method.responseStream),
    originalName,
  ].join(' ');
}

/** Reads `file` and what it imports. Throws on anything that the codec does not know. */
export function makeSchema(file: string): Schema {
  const root = new protobuf.Root().loadSync(file, { keepCase: true }).resolveAll();
  const packageDefinition = loadSync(file, { keepCase: true });
  const messages: Record<string, string> = {};
  const enums: Record<string, string> = {};
  const services: Record<string, string> = {};
  const visit = (object: protobuf.ReflectionObject): void => {
    if (object instanceof protobuf.Type) {
      const fields = [...object.fieldsArray].sort((a, b) => a.id - b.id);
      messages[plainName(object)] = fields.map(describeField).join(';');
    } else if (object instanceof protobuf.Service) {
      const methods = packageDefinition[plainName(object)] as ServiceDefinition;
      services[plainName(object)] = object.methodsArray
        .map((method) => describeMethod(method, methods[method.name]?.originalName ?? ''))
        .join(';');
    } else if (object instanceof protobuf.Enum) {
      const pairs = Object.entries(object.values).sort(([, a], [, b]) => a - b);
      if (pairs[0]?.[1] !== 0) throw new Error(`Cannot generate the codec: enum ${object.fullName} has no 0`);
      enums[plainName(object)] = pairs.map(([name, number]) => `${name}=${number}`).join(';');
    }
    if (object instanceof protobuf.Namespace) object.nestedArray.forEach(visit);
  };
  visit(root);
  return { messages, enums, services };
}

/**
 * Fields that etcd sends and etcd3's `rpc.proto` does not have yet, by message: `dbSizeQuota` came with etcd 3.6
 * (api/etcdserverpb/rpc.proto).
 */
const LATER_FIELDS: Readonly<Record<string, readonly string[]>> = {
  'etcdserverpb.StatusResponse': ['12 dbSizeQuota int64'],
};

/** `schema` with the later fields. Throws when the client library has come to know one of them. */
export function withLaterFields(schema: Schema): Schema {
  const messages: Record<string, string> = { ...schema.messages };
  for (const [message, later] of Object.entries(LATER_FIELDS)) {
    const fields = (messages[message] ?? '').split(';');
    for (const field of later) {
      const [id = ''] = field.split(' ');
      if (fields.some((known) => known.startsWith(`${id} `)))
        throw new Error(`Remove field ${id} of ${message} from LATER_FIELDS: rpc.proto has it now`);
    }
    messages[message] = [...fields, ...later].join(';');
  }
  return { ...schema, messages };
}
