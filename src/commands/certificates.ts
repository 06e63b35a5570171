import type { TlsConfig } from '../config/config.ts';
import { readPemFile, readTlsFile } from '../connect/pem-file.ts';
import { TlsFileError } from '../connect/tls-file-error.ts';

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
  try {
    const wanted = kind === 'cert' ? 'certificate' : 'authorities';
    const { certificates } = readPemFile(kind, path, readTlsFile(kind, path), wanted);
    return certificates.map(({ certificate: { subject, validTo } }) => ({
      kind,
      where: path,
      subject: /^CN=(.*)$/m.exec(subject)?.[1] ?? subject.replaceAll('\n', ', '),
      endsAtMs: Date.parse(validTo),
    }));
  } catch (error) {
    if (error instanceof TlsFileError) return [];
    throw error;
  }
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
