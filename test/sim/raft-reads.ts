import type { EtcdNode } from './etcd-node.ts';

// The server sends a read to its raft again this often, and gives it up after 7 s (etcd, server/etcdserver/v3_server.go).
const RETRY_MS = 500;
const TRIES = 14;

/** What the reads of one member need of the others. */
export interface ReadNetwork {
  readonly nodes: readonly EtcdNode[];
  readonly quorum: number;
  /** A read that is sent again keeps its request ID (etcd #20418). */
  readonly reusesReadIds: boolean;
  /** Sends a message from one raft to another: it arrives in order, or, where they do not reach each other, never. */
  send(from: EtcdNode, to: EtcdNode, happen: () => void): void;
  /** As leader it has committed an entry of its own term. */
  servesReads(node: EtcdNode): boolean;
  newReadId(): number;
  /** What it takes until another thread of a member goes on. */
  threadMs(): number;
  /** A leader has just learnt from `by` that a read of `reader` is confirmed, and has not told that one yet. */
  onConfirmed(leader: EtcdNode, by: EtcdNode, reader: EtcdNode): void;
  /** A linearizable read is about to be answered from before it was asked. */
  onStale(node: EtcdNode): void;
}

export interface Reader {
  /** The log has been applied here as far as it was when the read was confirmed. */
  readonly onReady: () => void;
  readonly onFail: (why: 'leader changed' | 'timed out') => void;
}

/** Readers that are answered together (etcd, linearizableReadLoop). */
interface Round {
  readonly readers: readonly Reader[];
  /** How far the log of the cluster was when the last of them came. */
  readonly askedAtIndex: number;
  readonly ids: Set<number>;
  lastId: number | undefined;
  tries: number;
  isConfirmed: boolean;
}

/** A read that waits at the leader for a quorum to say that it still follows (raft's read_only.go). */
interface Unconfirmed {
  readonly id: number;
  readonly from: EtcdNode;
  readonly index: number;
  readonly acks: Set<EtcdNode>;
}

/**
 * Linearizable reads as etcd makes them: the server's loop, which asks its raft for an index and waits until that has been
 * applied, and raft's queue at the leader, in which an acknowledgement releases everything that is queued before its read.
 */
export class RaftReads {
  network: ReadNetwork | undefined;
  readonly #node: EtcdNode;
  #next: Reader[] = [];
  #round: Round | undefined;
  #queue: Unconfirmed[] = [];

  constructor(node: EtcdNode) {
    this.#node = node;
  }

  ask(reader: Reader): void {
    this.#next.push(reader);
    if (this.#round !== undefined || this.#next.length > 1) return;
    // The loop is another thread: what comes just now is read for as well.
    this.#node.after(this.network?.threadMs() ?? 0, () => {
      if (this.#round === undefined) this.#begin();
    });
  }

  /** Raft has changed its state: what waited there is forgotten. */
  reset(): void {
    this.#queue = [];
  }

  /** The process has ended. */
  stop(): void {
    this.#queue = [];
    this.#next = [];
    this.#round = undefined;
  }

  onNewLeader(): void {
    const round = this.#round;
    if (round !== undefined && !round.isConfirmed) this.#fail(round, 'leader changed');
  }

  #begin(): void {
    const readers = this.#next;
    if (readers.length === 0) return;
    this.#next = [];
    const round: Round = {
      readers,
      askedAtIndex: this.#node.store.lastIndex,
      ids: new Set(),
      lastId: undefined,
      tries: 0,
      isConfirmed: false,
    };
    this.#round = round;
    this.#send(round);
  }

  #end(round: Round): void {
    if (this.#round !== round) return;
    this.#round = undefined;
    this.#begin();
  }

  #fail(round: Round, why: Parameters<Reader['onFail']>[0]): void {
    for (const reader of round.readers) reader.onFail(why);
    this.#end(round);
  }

  #send(round: Round): void {
    const { network } = this;
    if (network === undefined || this.#round !== round || round.isConfirmed) return;
    round.tries += 1;
    if (round.tries > TRIES) {
      this.#fail(round, 'timed out');
      return;
    }
    if (round.lastId === undefined || !network.reusesReadIds) round.lastId = network.newReadId();
    const id = round.lastId;
    round.ids.add(id);
    const node = this.#node;
    node.step(() => {
      this.#receive(id, node);
    });
    node.after(RETRY_MS, () => {
      this.#send(round);
    });
  }

  /** A read has come to this member's raft, from its own server or another member's raft. */
  #receive(id: number, from: EtcdNode): void {
    const node = this.#node;
    const { network } = this;
    const { leader, term } = node;
    if (network === undefined || leader === undefined) return;
    if (leader !== node) {
      network.send(node, leader, () => {
        leader.reads.#receive(id, from);
      });
      return;
    }
    if (!network.servesReads(node)) return;
    if (network.quorum === 1) {
      this.#confirmed(id, node.applied);
      return;
    }
    if (!this.#queue.some((each) => each.id === id))
      this.#queue.push({ id, from, index: node.applied, acks: new Set([node]) });
    for (const peer of network.nodes) {
      if (peer === node) continue;
      network.send(node, peer, () => {
        peer.reads.#onHeartbeat(id, node, term);
      });
    }
  }

  #onHeartbeat(id: number, leader: EtcdNode, term: number): void {
    const node = this.#node;
    const newer = node.term;
    if (term < newer) {
      this.network?.send(node, leader, () => {
        if (newer > leader.term) leader.hear(newer, undefined);
      });
      return;
    }
    node.hear(term, leader);
    this.network?.send(node, leader, () => {
      leader.reads.#onAck(id, node, term);
    });
  }

  #onAck(id: number, from: EtcdNode, term: number): void {
    const node = this.#node;
    const { network } = this;
    if (network === undefined || term !== node.term || !node.leads) return;
    const place = this.#queue.findIndex((each) => each.id === id);
    const acknowledged = this.#queue[place];
    if (acknowledged === undefined) return;
    acknowledged.acks.add(from);
    if (acknowledged.acks.size < network.quorum) return;
    // Everything before it as well: whoever follows now has followed since those were queued.
    for (const read of this.#queue.splice(0, place + 1)) {
      if (read.from === node) {
        this.#confirmed(read.id, read.index);
        continue;
      }
      // On its way out of the process; there it can still be held up.
      node.after(0, () => {
        network.send(node, read.from, () => {
          read.from.reads.#confirmed(read.id, read.index);
        });
      });
      network.onConfirmed(node, from, read.from);
    }
  }

  /** The server's loop is told how far the log has to be applied. */
  #confirmed(id: number, index: number): void {
    const round = this.#round;
    if (round?.ids.has(id) !== true || round.isConfirmed) return;
    round.isConfirmed = true;
    if (index < round.askedAtIndex) this.network?.onStale(this.#node);
    this.#node.whenApplied(index, () => {
      for (const reader of round.readers) reader.onReady();
      this.#end(round);
    });
  }
}
