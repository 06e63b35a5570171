/** The configuration file that the packages install: every key, commented out, from the definition in the code. */
import { KEYS, MEANINGLESS_KEYS } from '../../src/config/config-keys.ts';
import type { ConfigKey } from '../../src/config/config-key.ts';

const WIDTH = 78;

const HEAD = `# Configuration of ctdb_etcd_lock, which holds CTDB's cluster lock in etcd.
# The same on every node of the cluster; ctdb-etcd(7) explains it. Nothing
# here is in force until the # in front of it is removed: a line that shows a
# value shows the default. Comments are lines of their own.
#
# At the least set "hosts", and "netbios_name" on nodes without Samba. Then
# put into /etc/ctdb/ctdb.conf, section [cluster], on every node:
#
#   cluster lock = !/usr/libexec/ctdb/ctdb_etcd_lock
`;

const LEGACY_HEAD = `# python-etcd knew the keys below. They are accepted, and have no effect.
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
