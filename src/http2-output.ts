import type { Socket } from 'node:net';

export interface OutputEvents {
  /** Something has left for the network. */
  readonly onSent: () => void;
  /** More waits for the network than may. */
  readonly onBacklog: () => void;
}

/** What is to be sent on one connection: the frames of one moment go out in one piece. */
export class Output {
  readonly #socket: Socket;
  readonly #largestBacklogBytes: number;
  readonly #events: OutputEvents;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #isPlannedNow = false;
  #isPlannedSoon = false;
  #isClosed = false;

  constructor(socket: Socket, largestBacklogBytes: number, events: OutputEvents) {
    this.#socket = socket;
    this.#largestBacklogBytes = largestBacklogBytes;
    this.#events = events;
  }

  /** Bytes that are still with us. */
  get unsentBytes(): number {
    return this.#bytes + this.#socket.writableLength;
  }

  /** Sends once what runs now has ended. */
  write(pieces: readonly Buffer[]): void {
    this.#add(pieces);
    if (this.#isPlannedNow) return;
    this.#isPlannedNow = true;
    queueMicrotask(() => {
      this.flush();
    });
  }

  /** Sends with whatever else is written once what has arrived is read: gRPC's servers send a PING with each answer. */
  writeSoon(pieces: readonly Buffer[]): void {
    this.#add(pieces);
    if (this.#isPlannedNow || this.#isPlannedSoon) return;
    this.#isPlannedSoon = true;
    setImmediate(() => {
      this.#isPlannedSoon = false;
      this.flush();
    });
  }

  flush(): void {
    this.#isPlannedNow = false;
    if (this.#pieces.length === 0) return;
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bytes = 0;
    this.#socket.write(Buffer.concat(pieces), this.#events.onSent);
    if (this.#socket.writableLength > this.#largestBacklogBytes) this.#events.onBacklog();
  }

  /** Sends what there is for the last time, however much waits already. */
  finish(): void {
    this.#socket.write(Buffer.concat(this.#pieces));
    this.close();
  }

  /** Forgets what has not been handed to the socket; nothing is sent any more. */
  close(): void {
    this.#isClosed = true;
    this.#pieces = [];
    this.#bytes = 0;
  }

  #add(pieces: readonly Buffer[]): void {
    if (this.#isClosed) return;
    for (const piece of pieces) {
      this.#pieces.push(piece);
      this.#bytes += piece.length;
    }
  }
}
