import { EtcdError, type EtcdErrorKind } from '../../src/base/errors.ts';
import type {
  Header,
  CallOptions,
  ConfirmAnswer,
  ConnectionId,
  KeyValue,
  LeaseAnswer,
  LeaseId,
  LockAnswer,
  Member,
  MemberList,
  RangeAnswer,
  TimeToLiveAnswer,
  WatchHandlers,
} from '../../src/cluster/member.ts';
import type { EtcdNode } from './etcd-node.ts';
import type { EtcdServer, Reply, Unsent } from './etcd-server.ts';
import type { Link } from './network.ts';
import type { Route } from './route.ts';
import type { SimProcess } from './sim-process.ts';
import type { Author } from './store.ts';

/** One connection; what runs on it ends with it. */
interface Connection {
  /** The member that it leads to. */
  readonly server: EtcdServer;
  readonly id: ConnectionId;
  alive: boolean;
  /** An answer has come over it. */
  stands: boolean;
  /** What is sent as soon as it stands. */
  readonly waiting: (() => void)[];
  readonly life: number;
  readonly ends: Set<(message: string) => void>;
}

let lastId = 0;

/** Each call has a thread of its own in the member. */
let lastCall = 0;

/** Told of what the process sends, at the instant at which it leaves. */
export interface Traffic {
  onSend(process: SimProcess, what: string, leaseId: LeaseId | undefined): void;
  /** A grant of this lease has been answered with what means that it is there. */
  onGranted(leaseId: LeaseId): void;
}

/** One member as one process of the helper reaches it: src/cluster/member.ts over the simulated network. */
export class SimMember implements Member {
  readonly endpoint: string;
  readonly #process: SimProcess;
  readonly #route: Route;
  readonly #link: Link;
  readonly #traffic: Traffic;
  readonly #author: Author;
  #connection: Connection | undefined;

  constructor(owner: SimProcess, route: Route, link: Link, traffic: Traffic) {
    this.endpoint = `etcd${link.node.id}:2379`;
    this.#process = owner;
    this.#route = route;
    this.#link = link;
    this.#traffic = traffic;
    this.#author = { kind: 'contender', pid: owner.pid, name: owner.label };
  }

  grant(leaseId: LeaseId, ttlMs: number, call: CallOptions): Promise<LeaseAnswer> {
    return this.#call<Unsent<LeaseAnswer>>('grant', leaseId, call, (reply, server) => {
      server.grant(leaseId, Math.ceil(ttlMs / 1000), this.#author, reply);
    });
  }

  revoke(leaseId: LeaseId, call: CallOptions): Promise<Pick<LeaseAnswer, 'header'>> {
    return this.#call('revoke', leaseId, call, (reply, server) => {
      server.revoke(leaseId, this.#author, reply);
    });
  }

  keepAlive(leaseId: LeaseId, call: CallOptions): Promise<LeaseAnswer> {
    return this.#call<Unsent<LeaseAnswer>>('keepAlive', leaseId, call, (reply, server) => {
      if (this.#route.proxy === undefined) server.keepAlive(leaseId, reply);
      else this.#route.proxy.keepAlive(leaseId, reply);
    });
  }

  timeToLive(leaseId: LeaseId, call: CallOptions): Promise<TimeToLiveAnswer> {
    return this.#call('timeToLive', leaseId, call, (reply, server) => {
      server.timeToLive(leaseId, reply);
    });
  }

  confirmKey(key: string, createRevision: bigint, call: CallOptions): Promise<ConfirmAnswer> {
    return this.#call<Unsent<ConfirmAnswer>>('confirmKey', undefined, call, (reply, server) => {
      server.confirm({ kind: 'confirm', key, createRevision }, reply);
    });
  }

  readKey(key: string, call: CallOptions): Promise<RangeAnswer> {
    return this.#read('readKey', (keys) => keys.find((each) => each.key === key), call);
  }

  readOldest(directory: string, call: CallOptions): Promise<RangeAnswer> {
    return this.#read('readOldest', (keys) => keys.find((each) => each.key.startsWith(directory)), call);
  }

  putIfEmpty(
    directory: string,
    key: string,
    value: string,
    leaseId: LeaseId,
    call: CallOptions,
  ): Promise<LockAnswer> {
    return this.#call<Unsent<LockAnswer>>('lock', leaseId, call, (reply, server) => {
      server.putIfEmpty({ kind: 'lock', directory, key, value, leaseId, author: this.#author }, reply);
    });
  }

  updateValue(
    key: string,
    value: string,
    createRevision: bigint,
    call: CallOptions,
  ): Promise<{ readonly header: Header; readonly succeeded: boolean }> {
    return this.#call('describe', undefined, call, (reply, server) => {
      server.updateValue({ kind: 'describe', key, value, createRevision, author: this.#author }, reply);
    });
  }

  watch(key: string, fromRevision: bigint, handlers: WatchHandlers): () => void {
    const connection = this.#current();
    const { server } = connection;
    const { node } = server;
    let isOver = false;
    let lastMs = 0;
    const end = (message: string): void => {
      if (isOver) return;
      isOver = true;
      connection.ends.delete(end);
      handlers.onEnd(message);
    };
    connection.ends.add(end);
    const tell = (happen: () => void): void => {
      const arrive = (): void => {
        this.#process.deliver(() => {
          if (!isOver) happen();
        });
      };
      const arrivesAtMs = this.#link.send('from', connection, arrive, lastMs);
      // What met a cut arrives once that is mended, in its own time.
      if (arrivesAtMs < Infinity) lastMs = arrivesAtMs;
    };
    const open = (): void => {
      const arrivesAtMs = this.#link.send('to', connection.stands ? connection : undefined, () => {
        if (!node.up) this.#lose(connection, 'connection refused');
        node.run(() => {
          if (isOver) return;
          server.watch({
            key,
            fromRevision: Number(fromRevision),
            onEvent: (kind) => {
              if (isOver) return;
              tell(() => {
                if (kind === 'delete') handlers.onDelete();
                else handlers.onPut();
              });
            },
            onEnd: (reason) => {
              tell(() => {
                end(reason);
              });
            },
          });
        });
      });
      // A handshake that was lost is tried again, and what waits for it goes with it.
      if (arrivesAtMs === Infinity && !connection.stands) connection.waiting.push(open);
    };
    this.#process.act(open);
    return () => {
      isOver = true;
      connection.ends.delete(end);
    };
  }

  listMembers(call: CallOptions): Promise<MemberList> {
    return this.#call<MemberList>('listMembers', undefined, call, (reply, server) => {
      if (this.#route.proxy === undefined) server.listMembers(reply);
      else this.#route.proxy.listMembers(reply);
    });
  }

  connect(): void {
    this.#current();
  }

  close(): void {
    if (this.#connection !== undefined) this.#end(this.#connection, 'closed');
  }

  #read(
    what: string,
    select: (keys: readonly KeyValue[]) => KeyValue | undefined,
    call: CallOptions,
  ): Promise<RangeAnswer> {
    return this.#call<RangeAnswer>(what, undefined, call, (reply, server) => {
      server.read(select, reply);
    });
  }

  #call<T>(
    what: string,
    leaseId: LeaseId | undefined,
    { signal }: CallOptions,
    serve: (reply: Reply<T>, server: EtcdServer) => void,
  ): Promise<T & { readonly connection: ConnectionId }> {
    const { promise, resolve, reject } = Promise.withResolvers<T & { readonly connection: ConnectionId }>();
    const fail = (kind: EtcdErrorKind, message: string): void => {
      reject(new EtcdError(kind, this.endpoint, message));
    };
    if (signal.aborted) {
      fail('timeout', 'no longer wanted');
      return promise;
    }
    const connection = this.#current();
    let isOpen = true;
    const close = (): void => {
      isOpen = false;
      connection.ends.delete(end);
      signal.removeEventListener('abort', onAbort);
    };
    const end = (message: string): void => {
      close();
      fail('unavailable', message);
    };
    const onAbort = (): void => {
      close();
      fail('timeout', 'no answer in time');
      if (signal.reason === 'timeout' || signal.reason === 'outrun')
        this.#end(connection, 'an earlier call got no answer');
    };
    signal.addEventListener('abort', onAbort);
    connection.ends.add(end);

    const back = (isChange: boolean, happen: () => void): void => {
      if (isChange && this.#link.losesAnswers && this.#process.machine.random.chance(0.7)) return;
      this.#link.send('from', connection, () => {
        this.#process.deliver(() => {
          if (!isOpen) return;
          if (!connection.stands) {
            connection.stands = true;
            for (const send of connection.waiting.splice(0)) send();
          }
          close();
          happen();
        });
      });
    };
    const isChange = what === 'grant' || what === 'lock' || what === 'revoke';
    this.#process.act(() => {
      this.#traffic.onSend(this.#process, `${what} to ${this.endpoint}`, leaseId);
      const server = this.#route.forCall(connection.server);
      const arrive = (): void => {
        const { node } = server;
        if (!node.up) {
          this.#lose(connection, 'connection refused');
          return;
        }
        node.run(
          () => {
            serve(
              {
                answer: (answer) => {
                  back(isChange, () => {
                    if (what === 'grant' && leaseId !== undefined) this.#traffic.onGranted(leaseId);
                    resolve({ ...answer, connection: connection.id });
                  });
                },
                refuse: ({ kind, message }) => {
                  back(false, () => {
                    if (kind === 'leaseExists' && leaseId !== undefined) this.#traffic.onGranted(leaseId);
                    fail(kind, message);
                  });
                },
              },
              server,
            );
          },
          `call ${(lastCall += 1)}`,
        );
      };
      // The first message on a connection follows a handshake.
      const ready = (): void => {
        this.#link.send('to', connection.stands ? connection : undefined, arrive);
      };
      if (connection.stands) ready();
      else this.#link.send('to', undefined, ready);
    });
    return promise;
  }

  #current(): Connection {
    const present = this.#connection;
    if (present?.stands === true && this.#route.hasConnectionEnded())
      this.#end(present, 'the connection was reset');
    if (present?.alive === true) {
      if (present.life === present.server.node.life) return present;
      // The member was restarted; its kernel answers the next message with a reset.
      if (present.stands) {
        this.#lose(present, 'the connection was reset');
        return present;
      }
    }
    const server = this.#route.forConnection();
    const connection: Connection = {
      server,
      id: (lastId += 1) as ConnectionId,
      alive: true,
      stands: false,
      waiting: [],
      life: server.node.life,
      ends: new Set(),
    };
    this.#connection = connection;
    return connection;
  }

  /** The connection breaks; the process hears of it if the way back is open. */
  #lose(connection: Connection, message: string): void {
    this.#link.send('from', undefined, () => {
      this.#process.deliver(() => {
        this.#end(connection, message);
      });
    });
  }

  #end(connection: Connection, message: string): void {
    if (!connection.alive) return;
    connection.alive = false;
    const ends = [...connection.ends];
    connection.ends.clear();
    if (ends.length === 0) return;
    this.#process.machine.timeline.after(0, () => {
      this.#process.deliver(() => {
        for (const end of ends) end(message);
      });
    });
  }

  /** A member's process ended: its kernel resets what stood. */
  onCrash(node: EtcdNode): void {
    const connection = this.#connection;
    if (connection?.server.node === node && connection.alive && connection.ends.size > 0)
      this.#lose(connection, 'the connection was reset');
  }
}
