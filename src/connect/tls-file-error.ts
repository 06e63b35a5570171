/** A file for TLS cannot be used. The message names the key and the file; `remedy` says what to do. */
export class TlsFileError extends Error {
  override readonly name = 'TlsFileError';
  /** The entry of the message in docs/failure-guide.md. */
  readonly id: string;
  readonly remedy: string;

  constructor(id: string, message: string, remedy: string) {
    super(message);
    this.id = id;
    this.remedy = remedy;
  }
}
