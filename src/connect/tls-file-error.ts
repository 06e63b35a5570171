/** A file that TLS needs cannot be used. The message names key and file; `remedy` says what to do. */
export class TlsFileError extends Error {
  override readonly name = 'TlsFileError';
  /** Names the message in the failure guide. */
  readonly id: string;
  readonly remedy: string;

  constructor(id: string, message: string, remedy: string) {
    super(message);
    this.id = id;
    this.remedy = remedy;
  }
}
