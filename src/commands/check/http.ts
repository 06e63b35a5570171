import { request as requestPlain, type IncomingMessage, type RequestOptions } from 'node:http';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { Endpoint, TlsConfig } from '../../config/config.ts';
import { certificateName } from '../../connect/host-text.ts';
import type { TlsFiles } from '../../connect/tls-files.ts';

/** What a member's HTTP side tells: etcd answers on the same port as its gRPC. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  /** The member's wall clock, in whole seconds; undefined when the answer has no date. */
  readonly date: Date | undefined;
  /** Over TLS: what the member showed, its own certificate first, without the root; and the protocol agreed upon. */
  readonly tls: { readonly chain: readonly PeerCertificate[]; readonly protocol: string } | undefined;
}

const MOST_BYTES = 65_536;

/** One GET, with the certificates of the configuration. Rejects with Node's error; the signal ends it. */
export function httpGet(
  endpoint: Endpoint,
  path: string,
  how: { readonly tls: TlsConfig; readonly files: TlsFiles; readonly signal: AbortSignal },
): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const { host, port, secure } = endpoint;
  const name = certificateName(how.tls.serverName ?? host);
  const options: RequestOptions = { host, port, path, signal: how.signal };
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
            // Without an agent, which would make connections of its own.
            createConnection: () => {
              secured = connect({
                host,
                port,
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
  // Node types the issuer as always there; where it was not sent and is not among our authorities, it is undefined.
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next !== undefined) {
    const issuer: DetailedPeerCertificate | undefined = next.issuerCertificate;
    const isRoot: boolean = issuer === next;
    if (!isRoot || chain.length === 0) chain.push(next);
    next = isRoot ? undefined : issuer;
  }
  return { chain, protocol: socket.getProtocol() ?? '' };
}
