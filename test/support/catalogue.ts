import { filledIn, guideEntries, type GuideEntry } from './failure-guide.ts';
import { messagesOf, type Message } from './messages.ts';

// Words that key definitions show are documented in configuration.md, by a test of its own; the help of the commands in
// the manual page, the metrics in monitoring.md. The relations between times are a fault of the program when they do not hold. What gRPC and HTTP/2 say
// of a call are words like etcd's own: the guide has what they become.
const ELSEWHERE =
  /^(config\/(config-keys|value-checks|grpc-keys|config-key|timing)|commands\/(ctdb-options|help|openmetrics|lock-metrics))$/;

/** Texts of the source that nobody reads. */
const NOT_PRINTED: readonly RegExp[] = [
  /^Usage: /,
  /^ctdb_etcd_lock … \(commit/,
  /^Warning: …( \[…\]\n)?$/,
  /\$\{|\$SCRIPT|\$limit/, // the watchdog's script
  /^exec "\$0"|^testparm -s -d 4/, // for a shell
  /\r\n/, // a request of HTTP
  /^timeout:1 attempts:2$|^exit …$/, // for the C library, and for a shell
  /^wait is over$/,
  /^netbios name$/,
  /^an answer$/,
  // As other clients of gRPC say it: see ELSEWHERE.
  /^(Connection dropped|Received a message that cannot be unpacked|Received content type )$/,
  // Between the parts of the dialler.
  /^(no address|this channel has had its connection|given up)$/,
  /^cluster\/(cluster lock|recovery lock|leader timeout)$/,
  // Compared with what etcd says.
  /^(requested lease not found|no leader|leader changed|not leader|not a primary lessor|proposal dropped)$/,
  /^(request timed out|context deadline exceeded|too many requests|not capable|server stopped)$/,
  /^(unhealthy cluster|not supported for learner|database space exceeded|corrupt cluster)$/,
  /^(too large lease TTL|invalid auth token|revision of auth store is old|authentication failed)$/,
  /^(user name is empty|permission denied)$/,
  // Labels of a table, and commas between parts that are messages themselves.
  /^[…\s]*(Waiting|, with|, and)?[…\s]*$/,
];

/** Every text that somebody can read in a log or on a terminal. */
export function printedMessages(): Message[] {
  return messagesOf((module) => !ELSEWHERE.test(module)).filter(
    ({ text }) => !NOT_PRINTED.some((pattern) => pattern.test(text)),
  );
}

const letters = (text: string): number => text.replace(/[^a-z]/gi, '').length;

/** The texts of the source that make up `line` of the guide, or a good part of it. */
export function sourcesOf(line: string, messages: readonly Message[]): Message[] {
  return messages.filter(
    ({ text }) => filledIn(text).test(line) && letters(text) >= Math.min(letters(line) / 3, 20),
  );
}

/** docs/messages.md: every message with its identifier, and where the guide has it. */
export function catalogue(): string {
  const row = ({ id, lines, section, anchor }: GuideEntry): string => {
    const said = lines.map((line) => `\`${line}\``).join('<br>');
    return `| \`${id}\` | ${said} | [${section}](failure-guide.md#${anchor}) |`;
  };
  return `# Messages

Everything that the program can say, by identifier. An identifier keeps its meaning for ever; the words may change. \`…\` stands for what is filled
in. This page is written by \`node test/support/write-messages.ts\` from the failure guide; tests fail when a text of the source has no entry in
the guide, when an entry of the guide is said by no module, and when this page is old.

| id | message | guide |
| --- | --- | --- |
${guideEntries().map(row).join('\n')}
`;
}
