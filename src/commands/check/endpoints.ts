import type { CheckedConfig } from './config.ts';
import { lookAt, type Look, type SeenEndpoint } from './endpoint-look.ts';
import type { CheckReport } from './report.ts';
import { reportSeen } from './endpoint-reports.ts';
import type { CommandContext } from '../context.ts';
import { EtcdError } from '../../base/errors.ts';
import type { AdminMember } from '../../etcd/admin.ts';
import { speaksTls } from '../../connect/probe.ts';
import { TlsFiles } from '../../connect/tls-files.ts';
import { SPEAKS_TLS } from '../../connect/tls-errors.ts';

const TIMED_QUESTIONS = 3;

/** The results for all endpoints. */
export interface SeenEndpoints {
  /** All endpoints, in the order of the configuration. */
  readonly seen: readonly SeenEndpoint[];
  /** Details of the endpoints that answer. */
  readonly looks: readonly Look[];
}

/**
 * Checks every endpoint: name, connection, TLS, login, version. Reports the results in the order of the configuration.
 */
export async function checkEndpoints(
  { config, directory }: CheckedConfig,
  members: readonly AdminMember[],
  context: CommandContext,
  report: CheckReport,
  timedQuestions = TIMED_QUESTIONS,
): Promise<SeenEndpoints> {
  report.progress(`asking ${members.map(({ endpoint }) => endpoint).join(', ')}`);
  const files = new TlsFiles(config.tls);
  const { clock, names } = context;
  const looks = await Promise.all(
    members.map(async (member) => {
      const found = await lookAt(member, { config, directory, files, clock, names, timedQuestions });
      // The helper asks this in the background, for its next connection. `check` has time to wait for the answer.
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
      reportSeen(one, config, context.clock.wallNow(), report);
      return one.seen;
    }
    const { id, endpoint, message, remedy, kind } = one;
    report.add({
      verdict: works ? 'warning' : 'problem',
      area: kind === 'tls' ? 'tls' : kind === 'auth' || kind === 'permission' ? 'login' : 'connect',
      id,
      endpoint,
      text: message,
      remedy: remedy ?? 'check that etcd runs there and that no firewall blocks the connection',
    });
    return { ...NOTHING_SEEN, member: members[index] as AdminMember };
  });
  return { seen, looks: looks.flatMap((one) => (one instanceof EtcdError ? [] : [one])) };
}

const NOTHING_SEEN = {
  answers: false,
  token: undefined,
  status: undefined,
  version: undefined,
  header: undefined,
} as const;
