import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import type { CheckedConfig } from './config.ts';
import { httpGet, type HttpAnswer } from './http.ts';
import type { CheckReport } from './report.ts';
import { reportSeen, type Look, type SeenEndpoint } from './endpoint-reports.ts';
import { limited } from './time.ts';
import type { CommandWorld } from '../context.ts';
import type { Config } from '../../config/config.ts';
import { EtcdError } from '../../base/errors.ts';
import type { AdminMember } from '../../etcd/admin.ts';
import { speaksTls } from '../../connect/probe.ts';
import { TlsFiles } from '../../connect/tls-files.ts';
import { SPEAKS_TLS } from '../../connect/tls-errors.ts';

const TIMED_QUESTIONS = 3;

/** Looks at every endpoint: name, connection, TLS, login, version. Reports all of it, in the order of the configuration. */
export async function checkEndpoints(
  { config, directory }: CheckedConfig,
  members: readonly AdminMember[],
  world: CommandWorld,
  report: CheckReport,
): Promise<readonly SeenEndpoint[]> {
  report.progress(`asking ${members.map(({ endpoint }) => endpoint).join(', ')}`);
  const files = new TlsFiles(config.tls);
  const looks = await Promise.all(
    members.map(async (member) => {
      const found = await look(member, directory, config, files, world);
      // The helper finds that out on the way, for its next connection; who checks has the time to wait for it.
      return found instanceof EtcdError && found.id === 'net-plain' && (await speaksTls(member.address))
        ? new EtcdError(
            SPEAKS_TLS.kind,
            member.endpoint,
            SPEAKS_TLS.message,
            SPEAKS_TLS.remedy,
            SPEAKS_TLS.id,
          )
        : found;
    }),
  );
  const works = looks.some((one) => !(one instanceof EtcdError));
  const seen = looks.map((one, index): SeenEndpoint => {
    if (!(one instanceof EtcdError)) {
      reportSeen(one, config, world.clock.wallNow(), report);
      return one.seen;
    }
    const { id, endpoint, message, remedy, kind } = one;
    report.add({
      verdict: works ? 'warning' : 'problem',
      area: kind === 'tls' ? 'tls' : kind === 'auth' || kind === 'permission' ? 'login' : 'connect',
      id,
      endpoint,
      text: message,
      remedy: remedy ?? 'see that etcd runs there and that no firewall stands between',
    });
    return { ...NOTHING_SEEN, member: members[index] as AdminMember };
  });
  if (config.login === undefined && config.tls.certFile === undefined && works)
    report.note('login-none', 'without a login: whoever reaches etcd can give the lock away');
  return seen;
}

const NOTHING_SEEN = {
  answers: false,
  token: undefined,
  status: undefined,
  version: undefined,
  header: undefined,
} as const;

/** Undefined for what this user may not see. */
async function ifAllowed<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof EtcdError && (error.kind === 'permission' || error.kind === 'auth'))
      return undefined;
    throw error;
  }
}

/** The version that a member tells everybody: `{"etcdserver":"3.5.16","etcdcluster":"3.5.0"}`. */
function versionIn(http: HttpAnswer | undefined): string | undefined {
  return /"etcdserver":"([^"]+)"/.exec(http?.body ?? '')?.[1];
}

async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [];
  try {
    return (await dns.lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address);
  } catch {
    return []; // the connection says so, in better words
  }
}

async function look(
  member: AdminMember,
  directory: string,
  config: Config,
  files: TlsFiles,
  { clock }: CommandWorld,
): Promise<Look | EtcdError> {
  try {
    const [addresses, token] = await Promise.all([
      addressesOf(member.address.host),
      limited(clock, (call) => member.logIn(call)),
    ]);
    // The first question opens the connection where no login did; the others are timed, and one may be unlucky.
    let status = await ifAllowed(limited(clock, (call) => member.status(call)));
    let roundTripMs = Infinity;
    for (let count = 0; count < TIMED_QUESTIONS; count += 1) {
      const sentAtMs = clock.now();
      status = await ifAllowed(limited(clock, (call) => member.status(call)));
      roundTripMs = Math.min(roundTripMs, clock.now() - sentAtMs);
    }
    const header =
      status?.header ??
      (await ifAllowed(limited(clock, (call) => member.readDirectory(directory, call))))?.header;
    const http = await limited(clock, ({ signal }) =>
      httpGet(member.address, '/version', { tls: config.tls, files, signal }),
    ).catch(() => undefined);
    const theirs = http?.date?.getTime();
    return {
      seen: { member, answers: true, token, status, version: status?.version ?? versionIn(http), header },
      addresses,
      roundTripMs,
      http,
      // The date of an answer has no fractions: half a second of it is nobody's fault.
      clockGapMs: theirs === undefined ? undefined : clock.wallNow() - theirs - 500,
    };
  } catch (error) {
    if (error instanceof EtcdError) return error;
    throw error;
  }
}
