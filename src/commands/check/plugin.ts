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

/** What the check has seen so far, in numbers. */
export class CheckFacts {
  /** How many members are configured. */
  endpoints = 0;
  /** Those that answer. */
  looks: readonly Look[] = [];
  view: LockView | undefined;
  /** Of the files of the configuration. */
  certificates: readonly CertificateEnd[] = [];
}

const STATE = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const;

// Icinga and Nagios keep 4 kB of a plugin's answer, CTDB a line of 1,000 bytes in its log; the rest is counted.
const LONGEST_TEXT = 700;

/** One line in the form of the Monitoring Plugins Development Guidelines; `|` parts the text from the numbers. */
export function pluginLine(status: CommandStatus, text: string, numbers: readonly string[] = []): string {
  const line = `CTDB LOCK ${STATE[status]} - ${printable(text).replaceAll('|', '/')}`;
  return `${line}${numbers.length === 0 ? '' : ` | ${numbers.join(' ')}`}\n`;
}

/**
 * Runs the check within its time and prints one line: 0 all is well, 1 warnings, 2 the lock would not work, 3 cannot tell,
 * because time is up or the configuration may not be read by this user.
 */
export async function checkAsPlugin(
  { limitMs }: PluginArgs,
  configFile: string | undefined,
  world: CommandContext,
  report: CheckReport,
  facts: CheckFacts,
  examine: () => Promise<void>,
): Promise<CommandStatus> {
  const { clock, out } = world;
  const path = configPathOf({ configFile }, world.env);
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
  // A problem that has been found stays one, whatever else there was to find.
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

/** What asks for something, problems first; where nothing does, who holds the lock. */
function textsOf(report: CheckReport, facts: CheckFacts): string[] {
  const of = (verdict: Finding['verdict']): Finding[] =>
    report.findings.filter((finding) => finding.verdict === verdict);
  const asking = [...of('problem'), ...of('warning')];
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

/** `label=value[unit];warning;critical;lowest;highest`; a range `3:` is left by what is below 3. */
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
  const sizes = looks.flatMap(({ seen }) => seen.status?.dbSizeBytes ?? []);
  if (sizes.length > 0) numbers.push(`database=${Math.max(...sizes)}B;;;0`);
  const lease = view?.contenders[0]?.lease ?? null;
  if (lease !== null)
    numbers.push(`lease_left=${seconds(lease.remainingMs)}s;;;0;${seconds(lease.grantedTtlMs)}`);
  if (view !== undefined) numbers.push(`revision=${view.revision.toString()}`);
  return numbers;
}
