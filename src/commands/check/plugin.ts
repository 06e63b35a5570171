import { accessSync, constants } from 'node:fs';
import { configPathOf } from '../../config/loader.ts';
import { certificatesShown, type CertificateEnd } from '../certificates.ts';
import type { PluginArgs } from '../cli.ts';
import type { CommandStatus, CommandContext } from '../context.ts';
import type { LockView } from '../lock-view.ts';
import { printable } from '../output.ts';
import { describeContender } from '../status-text.ts';
import type { Look } from './endpoint-look.ts';
import { statusOf, type CheckReport, type Finding } from './report.ts';
import { daysLeft, SHORT_DAYS } from './tls.ts';

/** The numbers that `check` has collected so far. */
export class CheckFacts {
  /** The number of configured endpoints. */
  endpoints = 0;
  /** The endpoints that answer. */
  looks: readonly Look[] = [];
  view: LockView | undefined;
  /** Those in the files of the configuration. */
  certificates: readonly CertificateEnd[] = [];
}

const STATE = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const;

// In characters. Icinga and Nagios keep 4 kB of a plugin's output, CTDB 1,000 bytes of a line. Further findings are
// only counted.
const LONGEST_TEXT = 700;

/** One line in the format of the Monitoring Plugins Development Guidelines. `|` separates the text from the numbers. */
export function pluginLine(status: CommandStatus, text: string, numbers: readonly string[] = []): string {
  const line = `CTDB LOCK ${STATE[status]} - ${printable(text).replaceAll('|', '/')}`;
  return `${line}${numbers.length === 0 ? '' : ` | ${numbers.join(' ')}`}\n`;
}

/**
 * Runs the check within its time limit and prints one line.
 * @returns 0 all is well, 1 warnings, 2 the lock would not work, 3 unknown: time is up, or this user may not read the
 * configuration
 */
export async function checkAsPlugin(
  { limitMs }: PluginArgs,
  configFile: string | undefined,
  context: CommandContext,
  report: CheckReport,
  facts: CheckFacts,
  examine: () => Promise<void>,
): Promise<CommandStatus> {
  const { clock, out } = context;
  const path = configPathOf({ configFile }, context.env);
  if (isForbidden(path)) {
    out.write(pluginLine(3, `may not read "${path}"; run the plugin as root, with sudo or by NRPE`));
    return 3;
  }
  const startedAtMs = clock.now();
  const outOfTime = Promise.withResolvers<'outOfTime'>();
  const stopTimer = clock.at(startedAtMs + limitMs, () => {
    outOfTime.resolve('outOfTime');
  });
  const ended = await Promise.race([examine(), outOfTime.promise]);
  stopTimer();
  const tookMs = clock.now() - startedAtMs;
  const numbers = performanceData(facts, clock.wallNow(), tookMs, limitMs);
  const known = statusOf(report);
  // A problem that was found before the time limit is still reported as a problem.
  const status = ended === 'outOfTime' && known !== 2 ? 3 : known;
  const late = ended === 'outOfTime' ? `no result within ${limitMs / 1_000} s` : '';
  out.write(
    pluginLine(status, [late, ...textsOf(report, facts)].filter((text) => text !== '').join('; '), numbers),
  );
  return status;
}

function isForbidden(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EACCES';
  }
}

/**
 * The texts of problems, then of warnings, those about bugs of etcd last: they stay until etcd is upgraded, and must not
 * take the room of what is new. Without any, the text names the holder of the lock.
 */
function textsOf(report: CheckReport, facts: CheckFacts): string[] {
  const of = (verdict: Finding['verdict']): Finding[] =>
    report.findings.filter((finding) => finding.verdict === verdict);
  const isBug = ({ id }: Finding): boolean => id === 'version-bug';
  const warnings = of('warning');
  const asking = [
    ...of('problem'),
    ...warnings.filter((finding) => !isBug(finding)),
    ...warnings.filter(isBug),
  ];
  if (asking.length === 0)
    return [holderText(facts), `${facts.looks.length} of ${facts.endpoints} members answer`];
  const texts: string[] = [];
  let length = 0;
  for (const { endpoint, text, remedy, id } of asking) {
    const line = `${endpoint === '' ? '' : `${endpoint}: `}${text}; ${remedy ?? ''} [${id}]`;
    length += line.length;
    if (length > LONGEST_TEXT && texts.length > 0) {
      texts.push(`and ${asking.length - texts.length} more, see ctdb_etcd_lock check`);
      break;
    }
    texts.push(line);
  }
  return texts;
}

function holderText({ view }: CheckFacts): string {
  if (view === undefined) return '';
  const [holder] = view.contenders;
  return holder === undefined ? 'nobody holds the lock' : `held by ${describeContender(holder)}`;
}

/** `label=value[unit];warning;critical;lowest;highest`. The range `3:` raises an alert for values below 3. */
function performanceData(
  { endpoints, looks, view, certificates }: CheckFacts,
  wallNowMs: number,
  tookMs: number,
  limitMs: number,
): string[] {
  const seconds = (ms: number): string => `${Math.round(ms) / 1_000}`;
  const numbers = [`time=${seconds(tookMs)}s;;${seconds(limitMs)};0`];
  if (endpoints > 0) {
    const quorum = Math.floor(endpoints / 2) + 1;
    numbers.push(`members=${looks.length};${endpoints}:;${quorum}:;0;${endpoints}`);
  }
  if (looks.length > 0)
    numbers.push(`round_trip=${seconds(Math.max(...looks.map(({ roundTripMs }) => roundTripMs)))}s;;;0`);
  const ends = [
    ...certificates,
    ...looks.flatMap(({ seen, http }) => certificatesShown(seen.member.endpoint, http?.tls?.chain ?? [])),
  ].map(({ endsAtMs }) => daysLeft(new Date(endsAtMs).toISOString(), wallNowMs));
  if (ends.length > 0) numbers.push(`tls_days=${Math.min(...ends)};${SHORT_DAYS}:;0:`);
  const statuses = looks.flatMap(({ seen }) => seen.status ?? []);
  if (statuses.length > 0) {
    const quota = Math.min(...statuses.map(({ dbQuotaBytes = Infinity }) => dbQuotaBytes));
    const largest = Math.max(...statuses.map(({ dbSizeBytes }) => dbSizeBytes));
    numbers.push(`database=${largest}B;;;0${quota === Infinity ? '' : `;${quota}`}`);
  }
  const lease = view?.contenders[0]?.lease ?? null;
  if (lease !== null)
    numbers.push(`lease_left=${seconds(lease.remainingMs)}s;;;0;${seconds(lease.grantedTtlMs)}`);
  if (view !== undefined) numbers.push(`revision=${view.revision.toString()}`);
  return numbers;
}
