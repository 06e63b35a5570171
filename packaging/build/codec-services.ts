import { Codec, type Schema } from './codec.ts';

type Serialize = (value: object) => Buffer;
type Deserialize = (bytes: Buffer) => object;

/** What `loadPackageDefinition` of grpc-js wants to know of a method. */
export interface MethodDefinition {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: Serialize;
  readonly requestDeserialize: Deserialize;
  readonly responseSerialize: Serialize;
  readonly responseDeserialize: Deserialize;
  readonly originalName: string;
}

export type PackageDefinition = Record<string, Record<string, MethodDefinition>>;

/** The services of a schema in the shape that `loadPackageDefinition` of grpc-js takes. */
export function makePackageDefinition(schema: Schema): PackageDefinition {
  const codec = new Codec(schema);
  const serializer =
    (type: string): Serialize =>
    (value) =>
      codec.encode(type, value);
  const deserializer =
    (type: string): Deserialize =>
    (bytes) =>
      codec.decode(type, bytes);
  const methodsIn = (service: string, text: string): Record<string, MethodDefinition> => {
    const methods: Record<string, MethodDefinition> = {};
    for (const line of text.split(';')) {
      const [name = '', request = '', response = '', originalName = ''] = line.split(' ');
      const requestType = request.replace('stream:', '');
      const responseType = response.replace('stream:', '');
      methods[name] = {
        path: `/${service}/${name}`,
        requestStream: requestType !== request,
        responseStream: responseType !== response,
        requestSerialize: serializer(requestType),
        requestDeserialize: deserializer(requestType),
        responseSerialize: serializer(responseType),
        responseDeserialize: deserializer(responseType),
        originalName,
      };
    }
    return methods;
  };
  const definition: PackageDefinition = {};
  for (const [service, text] of Object.entries(schema.services)) {
    let methods: Record<string, MethodDefinition> | undefined;
    // Made when it is first looked at: a start needs three of the services.
    Object.defineProperty(definition, service, {
      enumerable: true,
      get: () => (methods ??= methodsIn(service, text)),
    });
  }
  return definition;
}
