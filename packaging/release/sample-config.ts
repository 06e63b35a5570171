/** The configuration file that the packages install: every key, commented out, from the definition in the code. */
import { KEYS, MEANINGLESS_KEYS } from '../../src/config/config-keys.ts';
import type { ConfigKey } from '../../src/config/config-key.ts';

const WIDTH = 78;

const HEAD = `# Configuration of ctdb_etcd_lock, which holds CTDB's cluster lock in etcd.
# Use the same file on every node. ctdb-etcd(7) explains it. A line has no
# effect until you remove the # in front of it; a value that is shown is the
# default. Comments are lines of their own.
#
# Set at least "hosts", and "netbios_name" on nodes without Samba. Then run
# "ctdb_etcd_lock check". It prints the line that /etc/ctdb/ctdb.conf needs in
# its section [cluster], the same on every node:
#
#   cluster lock = !/usr/libexec/ctdb/ctdb_etcd_lock --name NAME --cluster-id ID
`;

const LEGACY_HEAD = `# The keys below come from python-etcd. The helper accepts them and ignores
# them.
`;

/** `text` in lines that start with "# " and are at most WIDTH characters long. */
function comment(text: string): string {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH && line !== '#') {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}

function entry(key: ConfigKey<unknown>): string {
  const alias = key.aliases.length === 0 ? '' : ` The old name is ${key.aliases.join(', ')}.`;
  const value = key.defaultText === undefined ? '' : ` ${key.defaultText}`;
  return `${comment(`${key.meaning}.${alias}`)}\n${comment(`Takes ${key.range}.`)}\n#${key.name} =${value}\n`;
}

/** The whole file. */
export function sampleConfig(): string {
  const legacy: ReadonlySet<ConfigKey<unknown>> = new Set(MEANINGLESS_KEYS);
  const keys: readonly ConfigKey<unknown>[] = Object.values(KEYS);
  return [
    HEAD,
    ...keys.filter((key) => !legacy.has(key)).map(entry),
    LEGACY_HEAD,
    ...MEANINGLESS_KEYS.map((key) => `${comment(`${key.meaning}.`)}\n#${key.name} =\n`),
  ].join('\n');
}
