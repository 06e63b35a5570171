import { X509Certificate } from 'node:crypto';
import type { CheckReport } from './report.ts';
import type { Config } from '../../config/config.ts';
import { readSmallFile } from '../../base/small-file.ts';
import { TlsFileError, TlsFiles } from '../../connect/tls-files.ts';

const DAY_MS = 86_400_000;
// Two weeks are enough to renew by hand, and every automatic renewal comes earlier.
export const SHORT_DAYS = 14;
const LARGEST_FILE_BYTES = 4 * 1024 * 1024;

// id-kp-clientAuth (RFC 5280, 4.2.1.12)
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** Whole days until `date`, negative when it has passed. */
export function daysLeft(date: string, nowMs: number): number {
  return Math.floor((Date.parse(date) - nowMs) / DAY_MS);
}

/** One line on a certificate with how long it is still good. */
export function reportDaysLeft(
  report: CheckReport,
  text: string,
  days: number,
  remedy: string,
  endpoint = '',
): void {
  if (days < 0) report.problem('tls-ended', `${text}, expired ${-days} days ago`, remedy, endpoint);
  else if (days < SHORT_DAYS) report.warning('tls-ends', `${text}, ${days} days left`, remedy, endpoint);
  else report.ok('tls-days', `${text}, ${days} days left`, endpoint);
}

/** Looks at our own certificate, key and authorities. */
export function checkTlsFiles(
  { tls, endpoints, srvDomain }: Config,
  nowMs: number,
  report: CheckReport,
): void {
  if (srvDomain === undefined && !endpoints.some(({ secure }) => secure)) return;
  try {
    new TlsFiles(tls).context();
  } catch (error) {
    if (!(error instanceof TlsFileError)) throw error;
    report.problem(error.id, error.message, error.remedy);
    return;
  }
  if (tls.caFile === undefined)
    report.note('tls-system', "members are verified by the system's own authorities");
  for (const [key, path] of [
    ['ca_cert', tls.caFile],
    ['cert', tls.certFile],
  ] as const) {
    if (path === undefined) continue;
    for (const certificate of certificatesIn(path)) {
      const text = `${key} ${certificate.subject.replaceAll('\n', ', ')}`;
      reportDaysLeft(report, text, daysLeft(certificate.validTo, nowMs), `renew "${path}"`);
      if (key === 'cert' && !mayBeClient(certificate)) {
        report.problem(
          'tls-usage',
          `${text} is not for clients`,
          'issue it with extendedKeyUsage = clientAuth',
        );
      }
      if (key === 'cert') break; // what follows it are the authorities between
    }
  }
}

function mayBeClient({ keyUsage }: X509Certificate): boolean {
  // Node types it as always there; without the extension it is undefined, and the certificate is for everything.
  const usages = keyUsage as string[] | undefined;
  return usages === undefined || usages.includes(CLIENT_AUTH);
}

function certificatesIn(path: string): X509Certificate[] {
  const file = readSmallFile(path, LARGEST_FILE_BYTES);
  if (file.kind !== 'file') return [];
  const blocks = Buffer.from(file.bytes)
    .toString('latin1')
    .match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  return (blocks ?? []).map((block) => new X509Certificate(block));
}
