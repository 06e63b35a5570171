/**
 * Stands in for grpc-js in the packed program. etcd3 has its clients made by it, of which we want no more than the methods
 * that they are made of: see `src/etcd/methods.ts`. Nothing is sent by what is made here.
 */

interface Method {
  readonly path: string;
  readonly originalName?: string | undefined;
}

type Service = Readonly<Record<string, Method>>;

/** A class for each service, its methods by their names as etcd3 writes them, at the place that its package has. */
export function loadPackageDefinition(definitions: Readonly<Record<string, Service>>): object {
  const packages: Record<string, object> = {};
  for (const fullName of Object.keys(definitions)) {
    const [packageName = '', name = ''] = fullName.split('.');
    let client: object | undefined;
    // Made when etcd3 is asked for it.
    Object.defineProperty((packages[packageName] ??= {}), name, {
      get: () => (client ??= clientOf(definitions[fullName] ?? {})),
    });
  }
  return packages;
}

function clientOf(service: Service): object {
  const client = function (): void {
    // etcd3 says with what to connect; nobody connects here.
  };
  for (const method of Object.values(service))
    Object.defineProperty(client.prototype, method.originalName ?? '', { value: method });
  return client;
}

function never(): never {
  throw new Error('etcd3 has been asked to connect by itself');
}

export const Metadata = never;

export const credentials = { createInsecure: () => ({}), createSsl: never };
export const status = {};
export const connectivityState = {};
