import { X509Certificate } from 'node:crypto';
import { readSmallFile } from '../base/small-file.ts';
import type { TlsConfig } from '../config/config.ts';

/** A certificate that the lock needs, and when it expires. */
export interface CertificateEnd {
  /** `ca_cert` and `cert` are files of the configuration. `member` is a certificate that a member sent. */
  readonly kind: 'ca_cert' | 'cert' | 'member';
  /** The path of the file, or the endpoint of the member. */
  readonly where: string;
  /** The common name, or the whole subject when there is no common name. */
  readonly subject: string;
  /** Milliseconds of wall-clock time since 1970. */
  readonly endsAtMs: number;
}

const LARGEST_FILE_BYTES = 4 * 1024 * 1024;

/**
 * The certificates in the files of the configuration. A file that cannot be read gives none; `check` reports the
 * reason.
 */
export function certificatesOf({ caFile, certFile }: TlsConfig): CertificateEnd[] {
  return [
    ...(caFile === undefined ? [] : inFile('ca_cert', caFile)),
    // Only the first certificate is the client's own. Intermediate authorities follow it.
    ...(certFile === undefined ? [] : inFile('cert', certFile).slice(0, 1)),
  ];
}

function inFile(kind: 'ca_cert' | 'cert', path: string): CertificateEnd[] {
  const file = readSmallFile(path, LARGEST_FILE_BYTES);
  if (file.kind !== 'file') return [];
  const blocks = Buffer.from(file.bytes)
    .toString('latin1')
    .match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  return (blocks ?? []).flatMap((block) => {
    try {
      const { subject, validTo } = new X509Certificate(block);
      const name = /^CN=(.*)$/m.exec(subject)?.[1] ?? subject.replaceAll('\n', ', ');
      return [{ kind, where: path, subject: name, endsAtMs: Date.parse(validTo) }];
    } catch {
      return [];
    }
  });
}

/** A certificate of the other side, as Node's TLS returns it. */
interface ShownCertificate {
  readonly subject: { readonly CN?: string | string[]; readonly O?: string | string[] };
  readonly valid_to: string;
}

/** The certificates that a member sent: its own, and the intermediate ones. */
export function certificatesShown(endpoint: string, chain: readonly ShownCertificate[]): CertificateEnd[] {
  return chain.map(({ subject: { CN, O }, valid_to }) => ({
    kind: 'member',
    where: endpoint,
    subject: [CN ?? O ?? ''].flat().join(' '),
    endsAtMs: Date.parse(valid_to),
  }));
}
