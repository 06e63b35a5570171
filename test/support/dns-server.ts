import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';

/** What a name leads to. */
export interface Zone {
  readonly addresses?: readonly string[];
  readonly srv?: readonly {
    readonly host: string;
    readonly port: number;
    readonly priority?: number;
    readonly weight?: number;
  }[];
}

const TYPE = { a: 1, aaaa: 28, srv: 33 } as const;
const CNAME = 5;
const NXDOMAIN = 3;
const SERVFAIL = 2;

function encodeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);
}

function decodeQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (;;) {
    const length = query.readUInt8(at);
    at += 1;
    if (length === 0) break;
    labels.push(query.toString('latin1', at, at + length));
    at += length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at), end: at + 4 };
}

function encodeIpv6(address: string): Buffer {
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string): string[] => text.split(':').filter((group) => group !== '');
  const [front, back] = [groups(head), groups(tail)];
  const middle = Array<string>(8 - front.length - back.length).fill('0');
  const bytes = Buffer.alloc(16);
  for (const [index, group] of [...front, ...middle, ...back].entries()) {
    bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  }
  return bytes;
}

function answersFor(zone: Zone, type: number): Buffer[] {
  const addresses = zone.addresses ?? [];
  switch (type) {
    case TYPE.a:
      return addresses
        .filter((text) => !text.includes(':'))
        .map((text) => Buffer.from(text.split('.').map(Number)));
    case TYPE.aaaa:
      return addresses.filter((text) => text.includes(':')).map(encodeIpv6);
    case TYPE.srv:
      return (zone.srv ?? []).map(({ host, port, priority = 0, weight = 0 }) => {
        const head = Buffer.alloc(6);
        head.writeUInt16BE(priority, 0);
        head.writeUInt16BE(weight, 2);
        head.writeUInt16BE(port, 4);
        return Buffer.concat([head, encodeName(host)]);
      });
    default:
      return [];
  }
}

/**
 * How a server answers: as it should, with SERVFAIL, not at all, 1.2 s late, under another number, about another name, with NXDOMAIN
 * whatever is asked, with an alias that leads to itself, or with "truncated", which has the resolver ask again over TCP.
 */
export type DnsMood =
  'answers' | 'fails' | 'silent' | 'late' | 'otherId' | 'otherName' | 'denies' | 'aliasLoop' | 'truncates';

const TRIES = 20;
const LATE_MS = 1_200;
const TRUNCATED = 0x0200;

/** A name server for tests: it knows what it is told, and can be made to fail or to fall silent. */
export class DnsServer implements AsyncDisposable {
  readonly zones = new Map<string, Zone>();
  /** Names asked for so far, in order, once for each question. */
  readonly asked: string[] = [];
  mood: DnsMood = 'answers';
  /** Questions of these types get no answer, whatever the mood. */
  readonly drops = new Set<keyof typeof TYPE>();
  /** Questions about these names get none either. */
  readonly dropsNames = new Set<string>();
  readonly #socket: Socket;
  readonly #tcp: Server;

  private constructor(socket: Socket, tcp: Server) {
    this.#socket = socket;
    this.#tcp = tcp;
    socket.on('message', (query, sender) => {
      const { name, type, end } = decodeQuestion(query);
      this.asked.push(name);
      if (this.mood === 'silent' || this.dropsNames.has(name)) return;
      for (const dropped of this.drops) if (TYPE[dropped] === type) return;
      const send = (): void => {
        const reply = this.#reply(query, name, type, end, this.mood === 'truncates');
        socket.send(reply, sender.port, sender.address);
      };
      if (this.mood === 'late') setTimeout(send, LATE_MS).unref();
      else send();
    });
    tcp.on('connection', (connection) => {
      connection.on('error', () => undefined);
      connection.on('data', (message: Buffer) => {
        const query = message.subarray(2);
        const { name, type, end } = decodeQuestion(query);
        const reply = this.#reply(query, name, type, end, false);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        connection.end(Buffer.concat([length, reply]));
      });
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** @param port 0 for any that is free, for UDP and TCP alike */
  static async start(address: string, port: number): Promise<DnsServer> {
    for (let tries = 1; ; tries += 1) {
      const tcp = createServer();
      tcp.listen(port, address);
      await once(tcp, 'listening');
      const socket = createSocket('udp4');
      try {
        socket.bind((tcp.address() as AddressInfo).port, address);
        await once(socket, 'listening');
        return new DnsServer(socket, tcp);
      } catch (error) {
        // Another program has that port of UDP. An open socket would keep the test from ending.
        socket.close();
        tcp.close();
        if (port !== 0 || tries === TRIES) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#socket.close(resolve);
    });
    await new Promise<void>((resolve) => {
      this.#tcp.close(() => {
        resolve();
      });
    });
  }

  #reply(query: Buffer, name: string, type: number, end: number, isTruncated: boolean): Buffer {
    const zone = this.mood === 'denies' ? undefined : this.zones.get(name);
    const isLoop = this.mood === 'aliasLoop';
    const known = zone === undefined || this.mood === 'fails' || isTruncated ? [] : answersFor(zone, type);
    const answers = isLoop ? [encodeName(name)] : known;
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    if (this.mood === 'otherId') head.writeUInt16BE(query.readUInt16BE(0) ^ 1, 0);
    const code = this.mood === 'fails' ? SERVFAIL : zone === undefined ? NXDOMAIN : 0;
    head.writeUInt16BE(0x8580 | code | (isTruncated ? TRUNCATED : 0), 2); // an authoritative answer, recursion available
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(answers.length, 6);
    const records = answers.map((data) => {
      const record = Buffer.alloc(12);
      record.writeUInt16BE(0xc00c, 0); // the name of the question
      record.writeUInt16BE(isLoop ? CNAME : type, 2);
      record.writeUInt16BE(1, 4); // IN; the TTL stays 0
      record.writeUInt16BE(data.length, 10);
      return Buffer.concat([record, data]);
    });
    const question =
      this.mood === 'otherName'
        ? Buffer.concat([encodeName('other.test'), query.subarray(end - 4, end)])
        : query.subarray(12, end);
    return Buffer.concat([head, question, ...records]);
  }
}
