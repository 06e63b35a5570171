import type { KeyValue, LeaseId } from '../../src/cluster/member.ts';

const NO_LEASE = '0' as LeaseId;

/** Who asked for a change; the reason decides whether a holder's loss is excused. */
export type Author =
  | { readonly kind: 'contender'; readonly pid: number; readonly name: string }
  /** A restore from a backup in which the key was not, or was. */
  | { readonly kind: 'restore' }
  /** etcd itself, because a lease has ended by the account of that member's lessor. */
  | { readonly kind: 'expiry'; readonly by: number }
  /** The revoke of a lessor that does not lead, which the leader carried out for it (etcd #15247). */
  | { readonly kind: 'staleExpiry' }
  | { readonly kind: 'administrator' };

/** A change that goes through the raft log. */
export type Command =
  | { readonly kind: 'grant'; readonly leaseId: LeaseId; readonly ttlS: number; readonly author: Author }
  | { readonly kind: 'revoke'; readonly leaseId: LeaseId; readonly author: Author }
  | {
      readonly kind: 'lock';
      readonly directory: string;
      readonly key: string;
      readonly value: string;
      readonly leaseId: LeaseId;
      readonly author: Author;
    }
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: string;
      /** 'keep' is `etcdctl put --ignore-lease`; 'none' takes the lease off the key. */
      readonly lease: 'keep' | 'none';
      readonly author: Author;
    }
  | {
      readonly kind: 'describe';
      readonly key: string;
      readonly value: string;
      readonly createRevision: bigint;
      readonly author: Author;
    }
  /** The log transaction of a renewal: reads the key, which changes nothing, but is an entry of the log. */
  | { readonly kind: 'confirm'; readonly key: string; readonly createRevision: bigint }
  | { readonly kind: 'delete'; readonly key: string; readonly author: Author }
  /** How much of a lease is left, for the next promotion; 0: all of it. */
  | { readonly kind: 'checkpoint'; readonly leaseId: LeaseId; readonly remainingS: number }
  /** What a backup holds takes the place of everything; here it is an entry like any other, so that indexes go on. */
  | { readonly kind: 'restore'; readonly fromIndex: number; readonly leases: ReadonlyMap<LeaseId, Lease> }
  /** Other users of etcd, and the first entry of a leader's term. */
  | { readonly kind: 'noise' | 'empty' };

export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'leaseNotFound' | 'leaseExists' }
  | { readonly kind: 'locked' | 'notDescribed' }
  | { readonly kind: 'confirmed'; readonly found: KeyValue | null }
  | { readonly kind: 'notLocked'; readonly oldest: KeyValue };

/** One committed entry of the log. */
export interface Entry {
  readonly index: number;
  readonly term: number;
  /** The term that headers show: after a restore the terms begin anew. */
  readonly headerTerm: number;
  readonly command: Command;
  readonly outcome: Outcome;
  /** The store's revision after it. */
  readonly revision: number;
}

export interface KeyEvent {
  readonly index: number;
  readonly revision: number;
  readonly kind: 'put' | 'delete';
  readonly key: string;
}

interface Lease {
  readonly author: Author;
  /** As it was asked for. */
  readonly ttlS: number;
}

/** Told of what the cluster has agreed upon, at the instant at which it did. */
export interface Agreement {
  onPut(key: KeyValue, author: Author): void;
  onDelete(key: KeyValue, author: Author): void;
  onCommit(entry: Entry): void;
}

/**
 * What the cluster has agreed upon: the log, and the state that it makes. Members follow it, some later than others, so
 * the contents of the lock's directory are kept for each index.
 */
export class Store {
  readonly log: Entry[] = [];
  events: KeyEvent[] = [];
  readonly leases = new Map<LeaseId, Lease>();
  compactedRevision = 0;
  #revision = 1;
  /** Sorted by create revision; one element after each index in which something changed. */
  readonly #versions: { readonly index: number; readonly keys: readonly KeyValue[] }[] = [
    { index: 0, keys: [] },
  ];
  /** The first entry of the log that has not been compacted away. */
  firstIndex = 1;
  /** Nothing from before this entry can be seen any more: that of the last restore. */
  restoredIndex = 1;
  #termsBefore = 0;
  readonly #keptEntries: number;
  readonly #agreement: Agreement;

  /** @param keptEntries so many are kept when the log is compacted, which is when it has twice as many. */
  constructor(keptEntries: number, agreement: Agreement) {
    this.#keptEntries = keptEntries;
    this.#agreement = agreement;
    this.commit({ kind: 'empty' }, 1);
  }

  get lastIndex(): number {
    return this.log.length;
  }

  get revision(): number {
    return this.#revision;
  }

  get keys(): readonly KeyValue[] {
    return this.#versions[this.#versions.length - 1]?.keys ?? [];
  }

  entry(index: number): Entry {
    const entry = this.log[index - 1];
    if (entry === undefined) throw new Error(`No entry ${index} in the log`);
    return entry;
  }

  /** The keys as a member that has applied the log up to `index` sees them. */
  keysAt(index: number): readonly KeyValue[] {
    for (let version = this.#versions.length - 1; version > 0; version -= 1) {
      const found = this.#versions[version];
      if (found !== undefined && found.index <= index) return found.keys;
    }
    return [];
  }

  /** Goes back to a backup of the log up to `index`, from which a cluster begins in `term`. */
  restore(index: number, term: number): void {
    this.#termsBefore = term - 1;
    this.restoredIndex = this.lastIndex + 1;
    this.commit({ kind: 'restore', fromIndex: index, leases: this.#leasesAt(index) }, term);
    this.firstIndex = this.restoredIndex;
  }

  commit(command: Command, term: number): Entry {
    const index = this.log.length + 1;
    const outcome = this.#apply(command, index);
    const headerTerm = term - this.#termsBefore;
    const entry: Entry = { index, term, headerTerm, command, outcome, revision: this.#revision };
    this.log.push(entry);
    if (index - this.firstIndex >= 2 * this.#keptEntries) this.firstIndex = index - this.#keptEntries;
    this.#agreement.onCommit(entry);
    return entry;
  }

  #apply(command: Command, index: number): Outcome {
    switch (command.kind) {
      case 'empty':
      case 'checkpoint':
        return { kind: 'done' };
      case 'noise':
        this.#revision += 1;
        return { kind: 'done' };
      case 'grant': {
        if (this.leases.has(command.leaseId)) return { kind: 'leaseExists' };
        this.leases.set(command.leaseId, { author: command.author, ttlS: command.ttlS });
        return { kind: 'done' };
      }
      case 'revoke': {
        if (!this.leases.delete(command.leaseId)) return { kind: 'leaseNotFound' };
        this.#remove((key) => key.leaseId === command.leaseId, index, command.author);
        return { kind: 'done' };
      }
      case 'restore':
        this.#goBack(command, index);
        return { kind: 'done' };
      case 'delete':
        this.#remove((key) => key.key === command.key, index, command.author);
        return { kind: 'done' };
      case 'lock': {
        const [oldest] = this.keys;
        if (oldest !== undefined) return { kind: 'notLocked', oldest };
        if (!this.leases.has(command.leaseId)) return { kind: 'leaseNotFound' };
        this.#put(command.key, command.value, command.leaseId, index, command.author);
        return { kind: 'locked' };
      }
      case 'describe': {
        const present = this.keys.find((key) => key.key === command.key);
        if (present?.createRevision !== command.createRevision) return { kind: 'notDescribed' };
        this.#put(command.key, command.value, present.leaseId, index, command.author);
        return { kind: 'done' };
      }
      case 'confirm':
        return { kind: 'confirmed', found: this.keys.find((key) => key.key === command.key) ?? null };
      case 'put': {
        const present = this.keys.find((key) => key.key === command.key);
        const leaseId = command.lease === 'keep' && present !== undefined ? present.leaseId : NO_LEASE;
        this.#put(command.key, command.value, leaseId, index, command.author);
        return { kind: 'done' };
      }
    }
  }

  #put(key: string, value: string, leaseId: LeaseId, index: number, author: Author): void {
    this.#revision += 1;
    const revision = BigInt(this.#revision);
    const present = this.keys.find((each) => each.key === key);
    const put: KeyValue = {
      key,
      value,
      leaseId,
      createRevision: present?.createRevision ?? revision,
      modRevision: revision,
    };
    const others = this.keys.filter((each) => each.key !== key);
    const keys = [...others, put].sort((one, other) => Number(one.createRevision - other.createRevision));
    this.#versions.push({ index, keys });
    this.events.push({ index, revision: this.#revision, kind: 'put', key });
    this.#agreement.onPut(put, author);
  }

  #leasesAt(index: number): ReadonlyMap<LeaseId, Lease> {
    const leases = new Map<LeaseId, Lease>();
    for (const { command, outcome } of this.log.slice(0, index)) {
      if (outcome.kind !== 'done') continue;
      if (command.kind === 'grant') leases.set(command.leaseId, command);
      else if (command.kind === 'revoke') leases.delete(command.leaseId);
    }
    return leases;
  }

  #goBack({ fromIndex, leases }: Command & { kind: 'restore' }, index: number): void {
    const before = this.keys;
    const keys = this.keysAt(fromIndex);
    this.#revision = this.entry(fromIndex).revision;
    this.compactedRevision = Math.min(this.compactedRevision, this.#revision);
    this.events = this.events.filter((event) => event.index <= fromIndex);
    this.leases.clear();
    for (const [leaseId, lease] of leases) this.leases.set(leaseId, lease);
    this.#versions.push({ index, keys });
    const isIn = (among: readonly KeyValue[], { key, createRevision }: KeyValue): boolean =>
      among.some((each) => each.key === key && each.createRevision === createRevision);
    for (const key of before) if (!isIn(keys, key)) this.#agreement.onDelete(key, { kind: 'restore' });
    for (const key of keys) if (!isIn(before, key)) this.#agreement.onPut(key, { kind: 'restore' });
  }

  #remove(isRemoved: (key: KeyValue) => boolean, index: number, author: Author): void {
    const removed = this.keys.filter(isRemoved);
    if (removed.length === 0) return;
    this.#revision += 1;
    this.#versions.push({ index, keys: this.keys.filter((key) => !isRemoved(key)) });
    for (const key of removed) {
      this.events.push({ index, revision: this.#revision, kind: 'delete', key: key.key });
      this.#agreement.onDelete(key, author);
    }
  }
}
