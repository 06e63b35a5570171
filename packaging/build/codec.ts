/**
 * Protocol buffers without reflection. Stands in for `@grpc/proto-loader` in the packed program, where building the
 * reflection objects was the largest part of the start-up time. The schema is text, made at build time from the client
 * library's own `.proto` files; a message type's text is read when the first such message is met.
 *
 * Answers like proto-loader with `keepCase`, `longs: String`, `enums: String`, `defaults`, `oneofs`; a test compares the
 * two over every message type. It differs in being strict: what the library would quietly write as something else (an
 * unknown enum name, a number that is not an integer) is an error here.
 */

import { DELIMITED, DEPTH_MAX, Reader, VARINT, Writer } from './codec-wire.ts';

/** The schema as the generator writes it; names are fully qualified. */
export interface Schema {
  /** `id name type`, `id name repeated type`, `id name type in oneof`; fields by ascending id, separated by `;`. */
  readonly messages: Readonly<Record<string, string>>;
  /** `NAME=number`, the default first, separated by `;`. */
  readonly enums: Readonly<Record<string, string>>;
  /** `Method requestType responseType originalName`, a type preceded by `stream:` where it streams; separated by `;`. */
  readonly services: Readonly<Record<string, string>>;
}

type Plain = Record<string, unknown>;
const TWO_TO_63 = 1n << 63n;

interface EnumType {
  readonly numberOf: ReadonlyMap<string, number>;
  readonly nameOf: ReadonlyMap<number, string>;
  readonly defaultName: string;
}

interface Field {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly repeated: boolean;
  readonly oneof: string | undefined;
  readonly wireType: number;
  readonly enumType: EnumType | undefined;
  readonly isMessage: boolean;
}

function wrong(field: Field, wanted: string): TypeError {
  return new TypeError(`Cannot write protobuf field ${field.name}: want ${wanted}`);
}

function write64(writer: Writer, field: Field, value: unknown): void {
  const isInteger =
    typeof value === 'bigint' ||
    (typeof value === 'number' && Number.isSafeInteger(value)) ||
    (typeof value === 'string' && /^-?\d+$/.test(value));
  if (!isInteger) throw wrong(field, 'an integer');
  const integer = BigInt(value);
  const lowest = field.type === 'int64' ? -TWO_TO_63 : 0n;
  if (integer < lowest || integer >= lowest + 2n * TWO_TO_63)
    throw wrong(field, `an integer of type ${field.type}`);
  const unsigned = BigInt.asUintN(64, integer);
  writer.varint(Number(unsigned & 0xffff_ffffn), Number(unsigned >> 32n));
}

function read64(reader: Reader, isSigned: boolean): string {
  if (reader.high === 0) return String(reader.low);
  const high = isSigned ? reader.high | 0 : reader.high;
  return ((BigInt(high) << 32n) | BigInt(reader.low)).toString();
}

function bytesOf(field: Field, value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return Uint8Array.from(value as number[]);
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'base64');
    if (bytes.toString('base64') === value) return bytes;
  }
  throw wrong(field, 'bytes, or text in base64');
}

function defaultOf(field: Field): unknown {
  if (field.enumType !== undefined) return field.enumType.defaultName;
  switch (field.type) {
    case 'bool':
      return false;
    case 'bytes':
      return Buffer.alloc(0);
    case 'string':
      return '';
    case 'int64':
    case 'uint64':
      return '0';
    case 'int32':
    case 'uint32':
      return 0;
    default:
      return null;
  }
}

/** Encodes and decodes the messages of one schema. */
export class Codec {
  readonly #schema: Schema;
  readonly #fieldsOf = new Map<string, readonly Field[]>();

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  encode(type: string, value: object): Buffer {
    if (Array.isArray(value)) throw new TypeError(`Cannot write ${type}: want an object, got an array`);
    const writer = new Writer();
    this.#writeMessage(writer, type, value as Plain);
    return writer.finish();
  }

  decode(type: string, bytes: Buffer): Plain {
    return this.#readMessage(new Reader(bytes), type, bytes.length, 0);
  }

  #fields(type: string): readonly Field[] {
    let fields = this.#fieldsOf.get(type);
    if (fields === undefined) {
      const text = this.#schema.messages[type];
      if (text === undefined) throw new Error(`Cannot find protobuf message type ${type}`);
      fields = text === '' ? [] : text.split(';').map((line) => this.#field(line));
      this.#fieldsOf.set(type, fields);
    }
    return fields;
  }

  #field(line: string): Field {
    const words = line.split(' ');
    const repeated = words[2] === 'repeated';
    const [id = '', name = ''] = words;
    const type = words[repeated ? 3 : 2] ?? '';
    const isMessage = this.#schema.messages[type] !== undefined;
    const delimited = isMessage || type === 'bytes' || type === 'string';
    return {
      id: Number(id),
      name,
      type,
      repeated,
      oneof: words[3] === 'in' ? words[4] : undefined,
      wireType: delimited ? DELIMITED : VARINT,
      enumType: this.#enum(type),
      isMessage,
    };
  }

  #enum(type: string): EnumType | undefined {
    const text = this.#schema.enums[type];
    if (text === undefined) return undefined;
    const numberOf = new Map<string, number>();
    const nameOf = new Map<number, string>();
    for (const pair of text.split(';')) {
      const [name = '', number] = pair.split('=');
      numberOf.set(name, Number(number));
      nameOf.set(Number(number), name);
    }
    return { numberOf, nameOf, defaultName: nameOf.get(0) ?? '' };
  }

  #writeMessage(writer: Writer, type: string, message: Plain): void {
    for (const field of this.#fields(type)) {
      const value = message[field.name];
      if (value === undefined || value === null) continue;
      if (!field.repeated) {
        writer.varint(((field.id << 3) | field.wireType) >>> 0);
        this.#writeValue(writer, field, value);
        continue;
      }
      if (!Array.isArray(value)) throw wrong(field, 'an array');
      if (value.length === 0) continue;
      const values = value as unknown[];
      if (field.wireType === VARINT) {
        writer.varint(((field.id << 3) | DELIMITED) >>> 0);
        writer.delimited(() => {
          for (const one of values) this.#writeValue(writer, field, one);
        });
        continue;
      }
      for (const one of values) {
        writer.varint(((field.id << 3) | DELIMITED) >>> 0);
        this.#writeValue(writer, field, one);
      }
    }
  }

  #writeValue(writer: Writer, field: Field, value: unknown): void {
    if (field.isMessage) {
      if (typeof value !== 'object' || value === null) throw wrong(field, 'an object');
      writer.delimited(() => {
        this.#writeMessage(writer, field.type, value as Plain);
      });
      return;
    }
    if (field.enumType !== undefined) {
      const number = typeof value === 'string' ? field.enumType.numberOf.get(value) : value;
      if (typeof number !== 'number')
        throw wrong(field, `one of ${[...field.enumType.numberOf.keys()].join(' ')}`);
      writer.varint(number >>> 0, number < 0 ? 0xffff_ffff : 0);
      return;
    }
    switch (field.type) {
      case 'bool':
        writer.varint(value ? 1 : 0);
        return;
      case 'bytes':
        writer.bytes(bytesOf(field, value));
        return;
      case 'string':
        writer.bytes(Buffer.from(String(value)));
        return;
      case 'int32':
      case 'uint32': {
        const number = Number(value);
        if (!Number.isInteger(number)) throw wrong(field, 'an integer');
        writer.varint(number >>> 0, field.type === 'int32' && number < 0 ? 0xffff_ffff : 0);
        return;
      }
      default:
        write64(writer, field, value);
    }
  }

  #readMessage(reader: Reader, type: string, end: number, depth: number): Plain {
    if (depth > DEPTH_MAX)
      throw new Error(`Cannot read ${type}: more than ${DEPTH_MAX} messages inside each other`);
    reader.countMessage();
    const fields = this.#fields(type);
    const values = new Map<Field, unknown>();
    while (reader.position < end) {
      reader.varint();
      const id = reader.low >>> 3;
      const wireType = reader.low & 7;
      const field = fields.find((candidate) => candidate.id === id);
      if (field === undefined) reader.skip(wireType, end, depth);
      else if (!field.repeated && field.wireType === wireType)
        values.set(field, this.#readValue(reader, field, end, depth));
      else if (field.repeated && (field.wireType === wireType || wireType === DELIMITED)) {
        const list = (values.get(field) ?? []) as unknown[];
        values.set(field, list);
        if (field.wireType === wireType) list.push(this.#readValue(reader, field, end, depth));
        else
          for (const stop = reader.end(end); reader.position < stop;)
            list.push(this.#readValue(reader, field, stop, depth));
      } else throw new Error(`Cannot read ${type}: field ${field.name} has wire type ${wireType}`);
      if (reader.position > end) throw new RangeError(`Cannot read ${type}: it ends inside a field`);
    }
    return complete(fields, values);
  }

  #readValue(reader: Reader, field: Field, limit: number, depth: number): unknown {
    if (field.isMessage) return this.#readMessage(reader, field.type, reader.end(limit), depth + 1);
    if (field.wireType === DELIMITED) {
      const bytes = reader.slice(reader.end(limit));
      if (field.type === 'string') return bytes.toString('utf8');
      return bytes;
    }
    reader.varint();
    if (field.enumType !== undefined) return field.enumType.nameOf.get(reader.low | 0) ?? reader.low | 0;
    switch (field.type) {
      case 'bool':
        return reader.low !== 0 || reader.high !== 0;
      case 'int32':
        return reader.low | 0;
      case 'uint32':
        return reader.low;
      default:
        return read64(reader, field.type === 'int64');
    }
  }
}

/** The object for a message: lists first, then what has a default, then what was chosen in each oneof, with its name. */
function complete(fields: readonly Field[], values: ReadonlyMap<Field, unknown>): Plain {
  const object: Plain = {};
  // Not `for of`: without a JIT, an iterator is dearer than what is done here.
  fields.forEach((field) => {
    if (field.repeated) object[field.name] = values.get(field) ?? [];
  });
  fields.forEach((field) => {
    if (!field.repeated && field.oneof === undefined)
      object[field.name] = values.get(field) ?? defaultOf(field);
  });
  fields.forEach((field) => {
    if (field.oneof === undefined || !values.has(field)) return;
    object[field.name] = values.get(field);
    object[field.oneof] = field.name;
  });
  return object;
}
