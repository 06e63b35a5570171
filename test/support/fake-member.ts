import { EtcdError, type EtcdErrorKind } from '../../src/base/errors.ts';
import type {
  CallOptions,
  ConfirmAnswer,
  ConnectionId,
  Header,
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

interface Answers {
  readonly grant: LeaseAnswer;
  readonly revoke: Pick<LeaseAnswer, 'header'>;
  readonly keepAlive: LeaseAnswer;
  readonly timeToLive: TimeToLiveAnswer;
  readonly confirmKey: ConfirmAnswer;
  readonly readKey: RangeAnswer;
  readonly readOldest: RangeAnswer;
  readonly lock: LockAnswer;
  readonly listMembers: MemberList;
  readonly describe: Pick<LockAnswer, 'header' | 'succeeded'>;
}

export type CallName = keyof Answers;

export function headerOf(overrides: Partial<Header> = {}): Header {
  return { clusterId: '7', memberId: '1', revision: 10n, raftTerm: 2n, ...overrides };
}

/** One question that has reached a member; the test answers it, refuses it, or stays silent. */
export class FakeCall {
  readonly name: CallName;
  readonly member: FakeMember;
  readonly leaseId: LeaseId | undefined;
  readonly key: string;
  readonly value: string;
  /** Why it was given up; undefined as long as it was not. */
  abortedBecause: unknown;
  readonly promise: Promise<unknown>;
  readonly #resolve: (answer: unknown) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    member: FakeMember,
    name: CallName,
    { signal }: CallOptions,
    about: { leaseId?: LeaseId; key?: string; value?: string },
  ) {
    this.member = member;
    this.name = name;
    this.leaseId = about.leaseId;
    this.key = about.key ?? '';
    this.value = about.value ?? '';
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    signal.addEventListener('abort', () => {
      this.abortedBecause = signal.reason;
      if (member.obeysAborts) this.refuse('timeout', 'no answer in time');
    });
  }

  answer<Name extends CallName>(name: Name, answer: Partial<Answers[Name]>): void {
    if (name !== this.name) throw new Error(`The call is ${this.name}, not ${name}`);
    const isTold = name === 'grant' || name === 'keepAlive' || name === 'lock' || name === 'confirmKey';
    const connection = isTold ? { connection: this.member.connection } : {};
    this.#resolve({ header: headerOf(), ...connection, ...answer });
  }

  refuse(kind: EtcdErrorKind, message: string = kind): void {
    this.#reject(new EtcdError(kind, this.member.endpoint, message));
  }

  /** Something else than an etcd error: a mistake below the port. */
  explode(error: Error): void {
    this.#reject(error);
  }
}

export interface FakeWatch extends WatchHandlers {
  readonly key: string;
  readonly fromRevision: bigint;
  isStopped: boolean;
}

/** A member that answers what a test makes it answer, and is silent otherwise. */
export class FakeMember implements Member {
  readonly endpoint: string;
  readonly calls: FakeCall[] = [];
  readonly watches: FakeWatch[] = [];
  /** What comes to answer each call; none at first. */
  onCall: (call: FakeCall) => void = () => undefined;
  /** False: an aborted call stays open, so that its answer can come late. */
  obeysAborts = true;
  /** What answers say that they came over, where the test says nothing else. */
  connection = 1 as ConnectionId;
  connects = 0;
  closes = 0;

  constructor(endpoint: string) {
    this.endpoint = endpoint;
  }

  /** The calls of one kind, oldest first. */
  callsOf(name: CallName): FakeCall[] {
    return this.calls.filter((call) => call.name === name);
  }

  get last(): FakeCall {
    const call = this.calls[this.calls.length - 1];
    if (call === undefined) throw new Error(`Nobody has asked ${this.endpoint} anything`);
    return call;
  }

  grant(leaseId: LeaseId, _ttlMs: number, call: CallOptions): Promise<LeaseAnswer> {
    return this.#take('grant', call, { leaseId });
  }

  revoke(leaseId: LeaseId, call: CallOptions): Promise<Pick<LeaseAnswer, 'header'>> {
    return this.#take('revoke', call, { leaseId });
  }

  keepAlive(leaseId: LeaseId, call: CallOptions): Promise<LeaseAnswer> {
    return this.#take('keepAlive', call, { leaseId });
  }

  timeToLive(leaseId: LeaseId, call: CallOptions): Promise<TimeToLiveAnswer> {
    return this.#take('timeToLive', call, { leaseId });
  }

  confirmKey(key: string, _createRevision: bigint, call: CallOptions): Promise<ConfirmAnswer> {
    return this.#take('confirmKey', call, { key });
  }

  readKey(key: string, call: CallOptions): Promise<RangeAnswer> {
    return this.#take('readKey', call, { key });
  }

  readOldest(directory: string, call: CallOptions): Promise<RangeAnswer> {
    return this.#take('readOldest', call, { key: directory });
  }

  putIfEmpty(
    _directory: string,
    key: string,
    value: string,
    leaseId: LeaseId,
    call: CallOptions,
  ): Promise<LockAnswer> {
    return this.#take('lock', call, { leaseId, key, value });
  }

  updateValue(
    key: string,
    value: string,
    _createRevision: bigint,
    call: CallOptions,
  ): Promise<Answers['describe']> {
    return this.#take('describe', call, { key, value });
  }

  watch(key: string, fromRevision: bigint, handlers: WatchHandlers): () => void {
    const watch: FakeWatch = { ...handlers, key, fromRevision, isStopped: false };
    this.watches.push(watch);
    return () => {
      watch.isStopped = true;
    };
  }

  listMembers(call: CallOptions): Promise<MemberList> {
    return this.#take('listMembers', call, {});
  }

  connect(): void {
    this.connects += 1;
  }

  close(): void {
    this.closes += 1;
  }

  #take<Name extends CallName>(
    name: Name,
    options: CallOptions,
    about: { leaseId?: LeaseId; key?: string; value?: string },
  ): Promise<Answers[Name]> {
    const call = new FakeCall(this, name, options, about);
    this.calls.push(call);
    this.onCall(call);
    return call.promise as Promise<Answers[Name]>;
  }
}

/** An etcd that does what it is asked at once: one lease, one directory, nothing that could go wrong. */
export class KindEtcd {
  leaseId: LeaseId | undefined;
  key: KeyValue | null = null;
  revision = 10n;
  raftTerm = 2n;
  ttlMs = 9_000;
  /** A keepalive of a revoked lease succeeds until the revoke is applied (FastLeaseKeepAlive, on by default in 3.7; etcd #20590). */
  renewsRevoked = false;
  /** Three members without addresses. */
  members: MemberList['members'] = ['1', '2', '3'].map((id) => ({
    id,
    clientUrls: [`http://member${id}:2379`],
  }));

  /** Answers one call; to be used as a member's `onCall`. */
  readonly serve = (call: FakeCall): void => {
    const header = headerOf({ revision: this.revision, raftTerm: this.raftTerm });
    switch (call.name) {
      case 'grant':
        if (call.leaseId !== undefined && this.leaseId === call.leaseId) call.refuse('leaseExists');
        this.leaseId = call.leaseId;
        call.answer('grant', { header, ttlMs: this.ttlMs });
        break;
      case 'revoke':
        if (this.leaseId !== call.leaseId) call.refuse('leaseNotFound');
        this.leaseId = undefined;
        if (this.key?.leaseId === call.leaseId) this.key = null;
        call.answer('revoke', { header });
        break;
      case 'keepAlive':
        call.answer('keepAlive', {
          header,
          ttlMs: this.renewsRevoked || this.leaseId === call.leaseId ? this.ttlMs : 0,
        });
        break;
      case 'timeToLive':
        call.answer('timeToLive', { header, remainingMs: this.ttlMs - 1_000, grantedTtlMs: this.ttlMs });
        break;
      case 'confirmKey':
        call.answer('confirmKey', { header, found: this.key?.key === call.key ? this.key : null });
        break;
      case 'readKey':
        call.answer('readKey', { header, oldest: this.key?.key === call.key ? this.key : null });
        break;
      case 'readOldest':
        call.answer('readOldest', { header, oldest: this.key });
        break;
      case 'lock':
        this.#lock(call);
        break;
      case 'listMembers':
        call.answer('listMembers', { header, members: this.members });
        break;
      case 'describe':
        if (this.key !== null) this.key = { ...this.key, value: call.value };
        call.answer('describe', { header, succeeded: this.key !== null });
        break;
    }
  };

  #lock(call: FakeCall): void {
    if (this.key !== null) {
      const header = headerOf({ revision: this.revision, raftTerm: this.raftTerm });
      call.answer('lock', { header, succeeded: false, oldest: this.key });
      return;
    }
    if (call.leaseId === undefined || call.leaseId !== this.leaseId) {
      call.refuse('leaseNotFound');
      return;
    }
    this.revision += 1n;
    const { revision, raftTerm } = this;
    const { key, value, leaseId } = call;
    this.key = { key, value, leaseId, createRevision: revision, modRevision: revision };
    call.answer('lock', { header: headerOf({ revision, raftTerm }), succeeded: true, oldest: null });
  }
}
