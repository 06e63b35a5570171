import type { X509Certificate } from 'node:crypto';
import type { Config } from '../../config/config.ts';
import {
  CLIENT_AUTH,
  mayHandshake,
  mayServe,
  nameInLine,
  STRONG_KEY,
  weakKeyOf,
} from '../../connect/certificate-facts.ts';
import { TlsFileError } from '../../connect/tls-file-error.ts';
import { TlsFiles, type LoadedTls } from '../../connect/tls-files.ts';
import type { CheckReport } from './report.ts';

const DAY_MS = 86_400_000;
// Two weeks are enough for a renewal by hand. Automatic renewals come earlier.
export const SHORT_DAYS = 14;

/** Whole days until `date`; negative when it has passed. */
export function daysLeft(date: string, nowMs: number): number {
  return Math.floor((Date.parse(date) - nowMs) / DAY_MS);
}

/**
 * Reports for how many days a certificate is still valid. An expired one is only a warning, because another certificate
 * in the same file may be valid. The connections show whether the lock works.
 */
export function reportDaysLeft(
  report: CheckReport,
  text: string,
  days: number,
  remedy: string,
  endpoint = '',
): void {
  if (days < 0) report.warning('tls-ended', `${text}, expired ${-days} days ago`, remedy, endpoint);
  else if (days < SHORT_DAYS) report.warning('tls-ends', `${text}, ${days} days left`, remedy, endpoint);
  else report.ok('tls-days', `${text}, ${days} days left`, endpoint);
}

/** Checks the client's certificate, its key and the authorities. A file that cannot be used is a problem. */
export function checkTlsFiles(config: Config, nowMs: number, report: CheckReport): void {
  const { tls, endpoints, srvDomain } = config;
  if (srvDomain === undefined && !endpoints.some(({ secure }) => secure)) return;
  let loaded: LoadedTls;
  try {
    loaded = new TlsFiles(tls).load();
  } catch (error) {
    if (!(error instanceof TlsFileError)) throw error;
    report.problem(error.id, error.message, error.remedy);
    return;
  }
  const { caFile, certFile } = tls;
  if (caFile === undefined) report.note('tls-system', "members are verified by the system's own authorities");
  else reportAuthorities(caFile, loaded, nowMs, report);
  if (certFile !== undefined && loaded.own !== undefined) reportOwn(certFile, loaded.own, nowMs, report);
}

function reportAuthorities(
  path: string,
  { authorities }: LoadedTls,
  nowMs: number,
  report: CheckReport,
): void {
  for (const { certificate, line } of authorities?.certificates ?? []) {
    const text = `ca_cert ${nameInLine(certificate.subject)}`;
    const remedy = `put its replacement into "${path}", and remove it from line ${line} when no member needs it`;
    reportDaysLeft(report, text, daysLeft(certificate.validTo, nowMs), remedy);
    const weak = weakKeyOf(certificate);
    if (weak !== undefined)
      report.warning('tls-weak', `${text} has ${weak}: TLS refuses the members that it signed`, STRONG_KEY);
  }
  for (const line of authorities?.revocationLines ?? []) {
    report.warning(
      'tls-crl',
      `ca_cert "${path}" line ${line} begins a list of revoked certificates, which the helper ignores`,
      'remove it from that file',
    );
  }
}

function reportOwn(path: string, own: X509Certificate, nowMs: number, report: CheckReport): void {
  const text = `cert ${nameInLine(own.subject)}`;
  reportDaysLeft(report, text, daysLeft(own.validTo, nowMs), `renew "${path}"`);
  if (!mayServe(own, CLIENT_AUTH))
    report.warning(
      'tls-usage',
      `${text} is not for clients`,
      'reissue it with extendedKeyUsage = clientAuth',
    );
  if (!mayHandshake(own))
    report.warning('tls-usage', `${text} is not for TLS`, 'reissue it with keyUsage = digitalSignature');
}
