/** What the other side may still send: on one stream, or on the connection (RFC 9113, section 5.2). */
export class ReceiveWindow {
  readonly #windowBytes: number;
  #leftBytes: number;
  /** Taken in and not yet given back. */
  #takenBytes = 0;

  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes;
    this.#leftBytes = windowBytes;
  }

  /** Counts what has come; false when there was no room for it. */
  take(bytes: number): boolean {
    this.#leftBytes -= bytes;
    this.#takenBytes += bytes;
    return this.#leftBytes >= 0;
  }

  /** What to give back now: 0 until that is half of the window, so that not each frame costs one of ours. */
  giveBack(): number {
    const bytes = this.#takenBytes;
    if (bytes * 2 < this.#windowBytes) return 0;
    this.#leftBytes += bytes;
    this.#takenBytes = 0;
    return bytes;
  }
}
