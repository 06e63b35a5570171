import { connect, type Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Endpoint, LoginConfig } from '../config/config.ts';
import { hostPort, type Secure } from '../connect/dial.ts';
import type { DnsCache } from '../connect/dns-cache.ts';

export interface V2Tools {
  readonly clock: Clock;
  readonly names: DnsCache;
  /** Makes a TLS connection for HTTP/1.1. */
  readonly secure: Secure;
  /** The login for API v2, which has users of its own. */
  readonly login: LoginConfig | undefined;
}

// Long after the answer to CTDB.
const CLOSE_AFTER_MS = 1_000;

const READ_BYTES = 4_096;

// A queue of a thousand waiting processes needs less. A larger answer is not read.
const LARGEST_ANSWER_BYTES = 256 * 1024;

/** No such key, or no such page. */
export const NOT_FOUND = '404';

/** The HTTP status of an answer; undefined when it is no answer of HTTP. */
export function statusOf(answer: string): string | undefined {
  return /^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1];
}

/** Collects an answer until all of it that matters has arrived. */
class Answer {
  /** Resolves to the text; '' when the answer says nothing. */
  readonly whole: Promise<string>;
  readonly #finish: (answer: string) => void;
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.whole = promise;
    this.#finish = resolve;
  }

  /** Adds a copy of `bytes`. Returns false when no more is needed. */
  add(bytes: Uint8Array): boolean {
    this.#parts.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
    if (this.#bytes > LARGEST_ANSWER_BYTES) this.#finish('');
    // The rest of the answer does not matter, and would arrive later.
    else if (this.#bytes === bytes.length && statusOf(this.#text()) === NOT_FOUND) this.end();
    else return true;
    return false;
  }

  end(): void {
    this.#finish(this.#text());
  }

  fail(): void {
    this.#finish('');
  }

  #text(): string {
    return Buffer.concat(this.#parts).toString();
  }
}

/** The request. It is HTTP/1.0, so the answer comes in one piece and ends with the connection. */
function questionFor(endpoint: Endpoint, directory: string, login: LoginConfig | undefined): string {
  const credentials =
    login?.password === undefined
      ? ''
      : `Authorization: Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}\r\n`;
  const path = directory.split('/').map(encodeURIComponent).join('/');
  return (
    `GET /v2/keys${path}?quorum=true&recursive=true&sorted=true HTTP/1.0\r\n` +
    `Host: ${hostPort(endpoint)}\r\n${credentials}\r\n`
  );
}

/** Asks one member. Resolves to its answer, or '' when it gives none. Never rejects. */
export async function askV2(
  endpoint: Endpoint,
  directory: string,
  tools: V2Tools,
  signal: AbortSignal,
): Promise<string> {
  const { secure, login, clock, names } = tools;
  const answer = new Answer();
  const fail = (): void => {
    answer.fail();
  };
  const listenTo = (socket: Socket): void => {
    socket.on('error', fail);
    socket.once('close', fail);
    socket.once('end', () => {
      answer.end();
    });
  };
  const question = questionFor(endpoint, directory, login);
  const where = { host: endpoint.host, port: endpoint.port, lookup: names.socketLookup };
  let tcp: Socket;
  if (endpoint.secure) {
    tcp = connect(where, () => {
      secure(tcp, endpoint).then((secured) => {
        listenTo(secured);
        secured.on('data', (bytes) => {
          if (!answer.add(bytes)) secured.pause();
        });
        secured.write(question);
      }, fail);
    });
    tcp.on('error', fail);
  } else {
    // `onread` passes the bytes on without a stream. A stream would double the time that this question adds to a start.
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const onread = { buffer, callback: (length: number) => answer.add(buffer.subarray(0, length)) };
    tcp = connect({ ...where, onread }, () => tcp.write(question));
    listenTo(tcp);
  }
  signal.addEventListener('abort', fail);
  const text = await answer.whole;
  signal.removeEventListener('abort', fail);
  // Closed later: closing a connection takes time too, and CTDB waits for the answer.
  clock.at(clock.now() + CLOSE_AFTER_MS, () => {
    tcp.destroy();
  });
  return text;
}
