import type { Socket } from 'node:net';
import type { Disposer } from './base/clock.ts';

export interface OutputEvents {
  /** Something has left for the network. */
  readonly onSent: () => void;
  /** More waits for the network than may. */
  readonly onBacklog: () => void;
}

// More of what can wait does not: who sends so many PINGs wants an answer, or fills our memory.
const MOST_PATIENT_PIECES = 16;

export interface OutputLimits {
  /** Bytes that may wait to be sent. Whoever lets more pile up, by asking and not reading, loses the connection. */
  readonly largestBacklogBytes: number;
  /** Calls later, unless stopped before: an answer to a PING waits no longer for something to go out behind. */
  readonly afterPatience: (call: () => void) => Disposer;
}

/** What is to be sent on one connection: the frames of one moment go out in one piece. */
export class Output {
  readonly #socket: Socket;
  readonly #limits: OutputLimits;
  readonly #events: OutputEvents;
  #pieces: Buffer[] = [];
  /** Goes out behind those. */
  #patient: Buffer[] = [];
  #bytes = 0;
  #isPlanned = false;
  #stopWaiting: Disposer | undefined;
  #isClosed = false;

  constructor(socket: Socket, limits: OutputLimits, events: OutputEvents) {
    this.#socket = socket;
    this.#limits = limits;
    this.#events = events;
  }

  /** Bytes that are still with us. */
  get unsentBytes(): number {
    return this.#bytes + this.#socket.writableLength;
  }

  /** Sends once what runs now has ended. */
  write(pieces: readonly Buffer[]): void {
    if (this.#isClosed) return;
    for (const piece of pieces) {
      this.#pieces.push(piece);
      this.#bytes += piece.length;
    }
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.flush();
    });
  }

  /**
   * Sends behind what is written next, or alone if nothing is. gRPC's servers send a PING with what they get while they know
   * of no other under way: one that is answered behind the next request costs one packet less there and one less here.
   */
  writeBehind(pieces: readonly Buffer[]): void {
    if (this.#isClosed) return;
    for (const piece of pieces) {
      this.#patient.push(piece);
      this.#bytes += piece.length;
    }
    if (this.#patient.length > MOST_PATIENT_PIECES) this.flush();
    else
      this.#stopWaiting ??= this.#limits.afterPatience(() => {
        this.flush();
      });
  }

  flush(): void {
    this.#isPlanned = false;
    if (this.#bytes === 0) return;
    this.#socket.write(this.#taken(), this.#events.onSent);
    if (this.#socket.writableLength > this.#limits.largestBacklogBytes) this.#events.onBacklog();
  }

  /** Sends what there is for the last time, however much waits already. */
  finish(): void {
    this.#socket.write(this.#taken());
    this.close();
  }

  /** Forgets what has not been handed to the socket; nothing is sent any more. */
  close(): void {
    this.#isClosed = true;
    this.#taken();
  }

  #taken(): Buffer {
    const bytes = Buffer.concat([...this.#pieces, ...this.#patient]);
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    this.#pieces = [];
    this.#patient = [];
    this.#bytes = 0;
    return bytes;
  }
}
