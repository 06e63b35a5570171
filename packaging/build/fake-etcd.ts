/**
 * A small etcd for the training run: one member, in memory, on loopback; its leases never end by themselves. It answers late,
 * so that what the program does besides is over by then, and each run calls the same functions.
 */
import { createRequire } from 'node:module';
import {
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceDefinition,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type * as rpc from 'etcd3/lib/rpc.js';

type Handler<Request, Response> = (
  call: ServerUnaryCall<Request, Response>,
  reply: sendUnaryData<Response>,
) => void;

const PROTO_FILE = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto');

// In milliseconds. Long enough for a busy machine to do what else there is to do: to start the watchdog, to be refused by
// API v2.
const USUAL_MS = 400;
// The transaction has to wait for the version, which is asked for together with the lease.
const STATUS_MS = 800;
// The watchdog ends before the helper does.
const REVOKE_MS = 1_000;

function unary<Request, Response>(
  answer: (request: Request) => Response,
  delayMs = USUAL_MS,
): Handler<Request, Response> {
  return ({ request }, reply) => {
    const response = answer(request);
    setTimeout(() => {
      reply(null, response);
    }, delayMs);
  };
}

/** Keys and leases, and what happens to them. */
export class Store {
  keepAlives = 0;
  readonly keys = new Map<string, rpc.IKeyValue>();
  readonly ttlOf = new Map<string, string>();
  #revision = 1;

  header(): rpc.IResponseHeader {
    return {
      cluster_id: '14841639068965178418',
      member_id: '10276657743932975437',
      revision: String(this.#revision),
      raft_term: '2',
    };
  }

  put(key: string, value: Buffer, lease: string): void {
    this.#revision += 1;
    const revision = String(this.#revision);
    const entry = {
      key: Buffer.from(key),
      value,
      lease,
      create_revision: revision,
      mod_revision: revision,
      version: '1',
    };
    this.keys.set(key, entry);
  }

  range({ key, range_end }: rpc.IRangeRequest): rpc.IRangeResponse {
    const first = (key ?? '').toString();
    const last = (range_end ?? '').toString();
    const kvs = [...this.keys.values()].filter((entry) => {
      const name = entry.key.toString();
      return last === '' ? name === first : name >= first && name < last;
    });
    return { header: this.header(), kvs, more: false, count: String(kvs.length) };
  }

  txn({ compare = [], success = [], failure = [] }: rpc.ITxnRequest): rpc.ITxnResponse {
    const succeeded = compare.every((one) => {
      const { kvs } = this.range(one);
      const created = String(one.create_revision ?? '0');
      return kvs.length === 0 ? created === '0' : kvs.every((entry) => entry.create_revision === created);
    });
    const responses = (succeeded ? success : failure).map((operation): rpc.IResponseOp => {
      if (operation.request_range !== undefined) {
        return { response_range: this.range(operation.request_range) } as rpc.IResponseOp;
      }
      if (operation.request_put !== undefined) {
        const { key, value, lease } = operation.request_put;
        this.put((key ?? '').toString(), Buffer.from(value ?? ''), String(lease ?? '0'));
        return { response_put: { header: this.header() } } as rpc.IResponseOp;
      }
      if (operation.request_delete_range !== undefined) {
        this.keys.delete((operation.request_delete_range.key ?? '').toString());
        return { response_delete_range: { header: this.header() } } as rpc.IResponseOp;
      }
      throw new Error(`The training etcd does not know ${JSON.stringify(operation)}`);
    });
    return { header: this.header(), succeeded, responses };
  }

  revoke(lease: string): void {
    this.ttlOf.delete(lease);
    for (const [key, entry] of this.keys) if (entry.lease === lease) this.keys.delete(key);
  }
}

/** The services as grpc-js's server wants them: each method by its name in the .proto file. */
function servicesOf(store: Store): Record<string, Record<string, UntypedHandleCall>> {
  const header = (): rpc.IResponseHeader => store.header();
  return {
    KV: {
      Range: unary((request: rpc.IRangeRequest): rpc.IRangeResponse => store.range(request)),
      Txn: unary((request: rpc.ITxnRequest): rpc.ITxnResponse => store.txn(request)),
    },
    Lease: {
      LeaseGrant: unary(({ ID, TTL }: rpc.ILeaseGrantRequest): rpc.ILeaseGrantResponse => {
        store.ttlOf.set(String(ID), String(TTL));
        return { header: header(), ID: String(ID), TTL: String(TTL), error: '' };
      }),
      LeaseRevoke: unary(({ ID }: rpc.ILeaseRevokeRequest): rpc.ILeaseRevokeResponse => {
        store.revoke(String(ID));
        return { header: header() };
      }, REVOKE_MS),
      LeaseTimeToLive: unary(({ ID }: rpc.ILeaseTimeToLiveRequest): rpc.ILeaseTimeToLiveResponse => {
        const ttl = store.ttlOf.get(String(ID)) ?? '-1';
        return { header: header(), ID: String(ID), TTL: ttl, grantedTTL: ttl, keys: [] };
      }),
      LeaseKeepAlive: (
        call: ServerDuplexStream<rpc.ILeaseKeepAliveRequest, rpc.ILeaseKeepAliveResponse>,
      ): void => {
        call.on('data', ({ ID }: rpc.ILeaseKeepAliveRequest) => {
          setTimeout(() => {
            store.keepAlives += 1;
            call.write({ header: header(), ID: String(ID), TTL: store.ttlOf.get(String(ID)) ?? '0' });
          }, USUAL_MS);
        });
        call.on('end', () => {
          call.end();
        });
      },
    },
    Cluster: {
      MemberList: unary((): rpc.IMemberListResponse => {
        const ID = header().member_id;
        const member = {
          ID,
          name: 'fake',
          peerURLs: [],
          clientURLs: ['http://127.0.0.1:2379'],
          isLearner: false,
        };
        return { header: header(), members: [member] };
      }),
    },
    Maintenance: {
      Status: unary((): Partial<rpc.IStatusResponse> => ({ header: header(), version: '3.5.16' }), STATUS_MS),
    },
    Watch: {
      Watch: (call: ServerDuplexStream<rpc.IWatchRequest, Partial<rpc.IWatchResponse>>): void => {
        call.on('data', () => {
          setTimeout(() => {
            call.write({ header: header(), watch_id: '0', created: true });
          }, USUAL_MS);
        });
        call.on('end', () => {
          call.end();
        });
      },
    },
  };
}

/** An etcd that listens. */
export interface FakeEtcd {
  readonly store: Store;
  readonly port: number;
  stop(): void;
}

export async function startFakeEtcd(): Promise<FakeEtcd> {
  const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
  const packageDefinition = loadSync(PROTO_FILE, options);
  const store = new Store();
  const server = new Server();
  for (const [name, handlers] of Object.entries(servicesOf(store))) {
    server.addService(packageDefinition[`etcdserverpb.${name}`] as ServiceDefinition, handlers);
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return {
    store,
    port,
    stop: () => {
      server.forceShutdown();
    },
  };
}
