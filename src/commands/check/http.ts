import { request as requestPlain, type IncomingMessage, type RequestOptions } from 'node:http';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { Endpoint, TlsConfig } from '../../config/config.ts';
import { certificateName } from '../../connect/host-text.ts';
import type { DnsCache } from '../../connect/dns-cache.ts';
import type { TlsFiles } from '../../connect/tls-files.ts';

/** What a member answers over HTTP. etcd answers HTTP on the same port as gRPC. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  /** The member's wall clock, in whole seconds; undefined when the answer has no date. */
  readonly date: Date | undefined;
  /** With TLS: the certificates that the member sent, its own first, without the root; and the negotiated protocol. */
  readonly tls: { readonly chain: readonly PeerCertificate[]; readonly protocol: string } | undefined;
}

const MOST_BYTES = 65_536;

/**
 * Sends one GET, with the certificates of the configuration.
 * @throws Node's error, or the signal's reason when aborted
 */
export function httpGet(
  endpoint: Endpoint,
  path: string,
  how: {
    readonly tls: TlsConfig;
    readonly files: TlsFiles;
    readonly names: DnsCache;
    readonly signal: AbortSignal;
  },
): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const { host, port, secure } = endpoint;
  const name = certificateName(how.tls.serverName ?? host);
  const where = { host, port, lookup: how.names.socketLookup };
  const options: RequestOptions = { ...where, path, signal: how.signal };
  let secured: TLSSocket | undefined;
  const onAnswer = (answer: IncomingMessage): void => {
    const chunks: Buffer[] = [];
    let length = 0;
    const tls = secured === undefined ? undefined : tlsOf(secured);
    answer.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= MOST_BYTES) chunks.push(chunk);
    });
    answer.on('error', reject);
    answer.on('end', () => {
      const { date } = answer.headers;
      resolve({
        status: answer.statusCode ?? 0,
        body: Buffer.concat(chunks).toString(),
        date: date === undefined ? undefined : new Date(date),
        tls,
      });
    });
  };
  try {
    const request = requestPlain(
      secure
        ? {
            ...options,
            // Without an agent, because an agent opens connections of its own.
            createConnection: () => {
              secured = connect({
                ...where,
                secureContext: how.files.context(),
                rejectUnauthorized: !how.tls.insecureSkipVerify,
                ...(isIP(name) === 0 ? { servername: name } : {}),
              });
              return secured;
            },
          }
        : { ...options, agent: false },
      onAnswer,
    );
    request.on('error', reject);
    request.end();
  } catch (error) {
    reject(error instanceof Error ? error : new Error(String(error)));
  }
  return promise;
}

function tlsOf(socket: TLSSocket): HttpAnswer['tls'] {
  const chain: PeerCertificate[] = [];
  // Node's type says that the issuer is always there. At run time it is undefined when the issuer was not sent and is
  // not among the trusted authorities.
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next !== undefined) {
    const issuer: DetailedPeerCertificate | undefined = next.issuerCertificate;
    const isRoot: boolean = issuer === next;
    if (!isRoot || chain.length === 0) chain.push(next);
    next = isRoot ? undefined : issuer;
  }
  return { chain, protocol: socket.getProtocol() ?? '' };
}
