// Every command that the pages print: the shell can read it, and the programs that it calls know the words and options. Most
// of them are also run, by administrator.test.ts, pages.test.ts and test/integration/recipes.test.ts.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ETCD_RELEASES, etcdProgram } from '../support/etcd-cluster.ts';
import { helperProgram } from '../support/mutex-parent.ts';
import { pageBlocks, pageSpans } from '../support/page-blocks.ts';
import { run } from '../support/processes.ts';
import { CHECKOUT, RELEASES, Root } from './root.ts';

const PAGES = [
  ...readdirSync(join(CHECKOUT, 'docs')).filter((name) => name.endsWith('.md')),
  '../README.md',
  '../packaging/README.md',
  '../packaging/selinux/README.md',
];
const { scripts } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

interface Command {
  readonly page: string;
  readonly text: string;
  readonly variables: readonly string[];
  readonly program: string;
  readonly args: readonly string[];
}

function shellBlocks(page: string): readonly string[] {
  return ['sh', 'sh run', 'sh node', 'sh member'].flatMap((info) => pageBlocks(page, info));
}

/** The simple commands of a piece of shell, as far as these pages need: variables of its own, program, arguments. */
function commandsIn(page: string, script: string): Command[] {
  return script
    .replaceAll('\\\n', ' ')
    .replace(/(?<=^|\s)#.*$/gm, '')
    .replace(/"[^"\n]*\$\([^"]*\)[^"\n]*"/g, 'VALUE')
    .split(/\n|&&|\|\||[|;()]/)
    .flatMap((piece): Command[] => {
      const words = piece.trim().split(/\s+/);
      const first = words.findIndex((word) => !/^[A-Z_]+=|^do$|^then$/.test(word));
      const program = words[first];
      if (program === undefined || program === '') return [];
      const variables = words.slice(0, first);
      return [{ page, text: piece.trim(), variables, program, args: words.slice(first + 1) }];
    });
}

// Sentences about etcd begin with its name too.
const isSentence = (span: string): boolean => /^etcd (?!--)|^etcdctl \S+,|…/.test(span);

const COMMANDS = PAGES.flatMap((page) => [
  ...shellBlocks(page).flatMap((block) => commandsIn(page, block)),
  ...pageSpans(page)
    .filter((span) => span.includes(' ') && !isSentence(span))
    .flatMap((span) => commandsIn(page, span)),
]);

/** Those that call `program`, of which there must be some. */
function callsOf(program: string): readonly Command[] {
  const calls = COMMANDS.filter((command) => command.program === program);
  assert.ok(calls.length > 0, `no page calls ${program} any more`);
  return calls;
}

const optionsIn = ({ args }: Command): string[] =>
  args.filter((arg) => /^--?[a-z]/.test(arg)).map((arg) => arg.replace(/=.*$/, ''));

/** What a program says with its last argument for help, wherever it says it. */
async function helpOf(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run(program, args);
  return stdout + stderr;
}

function assertOptions(command: Command, help: string): void {
  for (const option of optionsIn(command)) {
    const isKnown = new RegExp(`(?<![\\w-])${option}(?![\\w-])`).test(help);
    assert.ok(isKnown, `docs/${command.page}: ${command.text}: there is no ${option}`);
  }
}

void describe('the commands that the pages print', () => {
  test('are shell', async () => {
    let count = 0;
    for (const page of PAGES) {
      for (const block of shellBlocks(page)) {
        const { status, stderr } = await run('bash', ['-n', '-c', block]);
        assert.equal(status, 0, `docs/${page}: ${stderr}`);
        count += 1;
      }
    }
    assert.ok(count >= 10, `${count} blocks`);
  });

  for (const release of ETCD_RELEASES) {
    test(`etcd ${release} has the options`, async () => {
      const help = await helpOf(etcdProgram(release, 'etcd'), '--help');
      for (const command of callsOf('etcd')) assertOptions(command, help);
    });

    test(`etcdctl ${release} has the commands and options`, async () => {
      for (const command of callsOf('etcdctl')) {
        const { variables, args, text } = command;
        const words = args.filter((arg) => /^[a-z][a-z-]*$/.test(arg));
        const version = variables.includes('ETCDCTL_API=2') ? '2' : '3';
        let help = '';
        let name = '';
        // The longest beginning of the words that is a command; what follows are keys and names.
        for (let length = Math.min(2, words.length); length > 0 && name === ''; length -= 1) {
          const asked = words.slice(0, length);
          const { stdout, stderr } = await run(etcdProgram(release, 'etcdctl'), [...asked, '--help'], {
            env: { ETCDCTL_API: version },
          });
          help = stdout + stderr;
          const [, said = ''] = /^NAME:\n\s+(?:etcdctl )?(.+?) - /m.exec(help) ?? [];
          // "compact" is another name of "compaction".
          if (said.startsWith(asked.join(' '))) name = said;
        }
        assert.notEqual(name, '', `docs/${command.page}: ${text}: there is no such command`);
        assert.ok(!help.includes('<subcommand>'), `docs/${command.page}: ${text}: a command is missing`);
        assertOptions(command, help);
      }
    });
  }

  for (const release of RELEASES) {
    test(`ctdb, onnode and the units of ${release} are there`, async () => {
      await using root = Root.make(release, 'ctdb');
      const { stdout, stderr } = await root.run('/usr/bin/ctdb');
      for (const { args, page, text } of callsOf('ctdb')) {
        const [word = ''] = args;
        assert.match(stdout + stderr, new RegExp(`^ {2}${word} `, 'm'), `docs/${page}: ${text}`);
      }
      const usage = (await root.run('/usr/bin/onnode')).stderr;
      const remote = callsOf('onnode').flatMap((command): Command[] => {
        const [nodes = '', ...words] = command.args;
        assert.ok(usage.includes(`"${nodes}"`), `docs/${command.page}: ${command.text}`);
        return commandsIn(command.page, words.join(' '));
      });
      const units = join(etcdProgram('3.5-trixie', 'etcd'), '../../lib/systemd/system/etcd.service');
      for (const { program, args, page, text } of [...callsOf('systemctl'), ...remote]) {
        const [verb = '', unit = ''] = args.filter((arg) => arg !== '--now');
        // An example of the package, which the page has copied.
        if (existsSync(join(CHECKOUT, 'packaging/monitoring', unit))) continue;
        if (program === 'ctdb') {
          assert.deepEqual(args.slice(0, 3), ['event', 'script', 'enable'], `docs/${page}: ${text}`);
          continue;
        }
        assert.equal(program, 'systemctl');
        assert.match(verb, /^(start|stop|restart|status)$/, `docs/${page}: ${text}`);
        const isThere =
          unit === 'etcd' ? existsSync(units) : root.has(`usr/lib/systemd/system/${unit}.service`);
        assert.ok(isThere, `docs/${page}: ${text}: there is no unit ${unit}`);
      }
    });
  }

  test('ctdb_etcd_lock has the commands and options', async () => {
    for (const command of callsOf('ctdb_etcd_lock')) {
      const [word = ''] = command.args;
      const subcommand = /^[a-z]/.test(word) ? [word] : [];
      const help = await helpOf(helperProgram(), ...subcommand, '--help');
      assert.ok(
        help.startsWith(`Usage: ctdb_etcd_lock ${subcommand.join(' ')}`),
        `docs/${command.page}: ${command.text}`,
      );
      assertOptions(command, help);
    }
  });

  test('openssl has the commands and options', async () => {
    for (const command of callsOf('openssl')) {
      const help = await helpOf('openssl', command.args[0] ?? '', '-help');
      // Where any cipher can be an option, the help names none of them.
      const ciphers = /^ -\* +Any supported cipher/m.test(help)
        ? (await helpOf('openssl', 'list', '-cipher-algorithms'))
            .toLowerCase()
            .replaceAll(/^ +(?=\w)/gm, ' -')
        : '';
      assertOptions(command, help + ciphers);
    }
  });

  test('npm and bash find what they run', () => {
    for (const { args, page, text } of callsOf('npm')) {
      const [word = '', name = ''] = args;
      if (word === 'ci') continue;
      const script = word === 'run' ? name : word;
      assert.ok(scripts[script] !== undefined, `docs/${page}: ${text}: there is no script ${script}`);
    }
    for (const { args, page, text } of callsOf('bash')) {
      const [file = ''] = args;
      assert.ok(existsSync(join(CHECKOUT, file)), `docs/${page}: ${text}: there is no ${file}`);
    }
  });
});
