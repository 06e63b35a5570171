import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { COMMANDS, OPTIONS_OF } from '../../../src/commands/options.ts';
import { commandHelp } from '../../../src/commands/help.ts';

const BASH = fileURLToPath(new URL('../../../packaging/completion/ctdb_etcd_lock.bash', import.meta.url));
const ZSH = readFileSync(new URL('../../../packaging/completion/_ctdb_etcd_lock', import.meta.url), 'utf8');

/** What bash offers for the last of the words. */
function complete(...words: readonly string[]): string[] {
  const script = `
    . "$1"; shift
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _ctdb_etcd_lock
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const said = execFileSync('bash', ['-c', script, 'bash', BASH, 'ctdb_etcd_lock', ...words], {
    encoding: 'utf8',
  });
  return said.split('\n').filter((word) => word !== '');
}

/** The variables of the zsh completion for options that every command has. */
const SHARED: Readonly<Record<string, string>> = {
  config: '$config',
  name: '$identity',
  'cluster-id': '$identity',
  help: '$help',
};

const longOptions = (command: keyof typeof OPTIONS_OF): string[] =>
  OPTIONS_OF[command].map((option) => `--${option}`).sort();

test('bash offers the commands and the options of the bare call', () => {
  assert.deepEqual(complete('').sort(), [...longOptions('helper'), ...COMMANDS].sort());
  assert.deepEqual(complete('st'), ['status']);
});

for (const command of COMMANDS) {
  test(`bash offers the options of ${command}, and of no other command`, () => {
    assert.deepEqual(complete(command, '').sort(), longOptions(command));
    assert.deepEqual(complete('-c', 'check', command, '--').sort(), longOptions(command));
  });

  test(`zsh knows the options of ${command}`, () => {
    // One line of the case, or the lines up to its ;;
    const part = new RegExp(`^ {4}${command}\\)([\\s\\S]*?);;`, 'm').exec(ZSH)?.[1] ?? '';
    for (const option of OPTIONS_OF[command]) {
      const shared = SHARED[option];
      assert.ok(part.includes(shared ?? `'--${option}[`), option);
    }
  });

  test(`the help of ${command} names its options, exit statuses and examples, in lines that fit a terminal`, () => {
    const help = commandHelp(command);
    for (const option of longOptions(command)) assert.ok(help.includes(option), option);
    assert.match(help, /^Exit status: 0 .+, 1 .+, 2 .+,\n3 the output could not be written\./m);
    assert.match(help, new RegExp(`^Examples:\n {2}ctdb_etcd_lock ${command}$`, 'm'));
    assert.ok(help.split('\n').every((line) => line.length <= 80));
  });
}

test('bash offers files after -c', () => {
  assert.deepEqual(complete('-c', BASH.slice(0, -3)), [BASH]);
});
