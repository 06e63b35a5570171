/**
 * Whether everything that names a version names the same one: the sources, what is built in dist/, and the tag of the commit.
 * The version of package.json is the one that the others are compared with.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NAME } from './project.ts';

const PROGRAM = 'ctdb_etcd_lock';

/** What one place says. */
export interface Statement {
  /** A file, from the root of the checkout, or a command. */
  readonly place: string;
  /** Undefined: it says nothing that can be read. */
  readonly version: string | undefined;
  /** `2026-11-28`; undefined where the place has no date. */
  readonly date?: string | undefined;
  /** The commit in hex, with `-dirty` after it when the sources had changes; undefined where the place names none. */
  readonly commit?: string | undefined;
}

/** The version tags of a repository: `v` and the version. */
export interface Tags {
  /** 12 hex digits. */
  readonly head: string;
  /** Those on HEAD. */
  readonly onHead: readonly string[];
  /** The commit of the tag that the version would get, 12 hex digits; undefined while there is none. */
  readonly commitOfVersion: string | undefined;
}

/** The day of a date such as `Sat, 28 Nov 2026 12:00:00 +0000` or `Sat Nov 28 2026`; undefined when it is none. */
function dayOf(text: string | undefined): string | undefined {
  const timeMs = Date.parse(`${(text ?? '').slice(0, 16)} UTC`);
  return Number.isNaN(timeMs) ? undefined : new Date(timeMs).toISOString().slice(0, 10);
}

/** What the sources under `root` say. The first is package.json. */
export function statedInSources(root: string): readonly Statement[] {
  const read = (name: string): string => readFileSync(join(root, name), 'utf8');
  const versionOf = (name: string): Statement => ({
    place: name,
    version: (JSON.parse(read(name)) as { version?: string }).version,
  });
  const [, changes, changesDate] = /^## (\S+) \((\d{4}-\d\d-\d\d)\)$/m.exec(read('CHANGELOG.md')) ?? [];
  const debian = read('packaging/debian/changelog');
  const spec = read('packaging/rpm/ctdb-etcd-lock.spec');
  return [
    versionOf('package.json'),
    versionOf('package-lock.json'),
    { place: 'CHANGELOG.md', version: changes, date: changesDate },
    {
      place: 'packaging/debian/changelog',
      version: /^\S+ \((\S+)-\d+\)/.exec(debian)?.[1],
      date: dayOf(/^ -- .*> {2}(.*)$/m.exec(debian)?.[1]),
    },
    {
      place: 'packaging/rpm/ctdb-etcd-lock.spec',
      version: /%global upstream_version (\S+)\}/.exec(spec)?.[1],
      date: dayOf(/%global date_of_change (.*)\}/.exec(spec)?.[1]),
    },
  ];
}

/** What a program printed; undefined when it cannot be run or fails. */
function output(program: string, args: readonly string[], cwd?: string): string | undefined {
  try {
    return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

/** What the binary and the packages in dist/ say. A kind of package that is not there is one statement without a version. */
export function statedInDist(root: string): readonly Statement[] {
  const dist = join(root, 'dist');
  const said = output(join(dist, PROGRAM), ['--version']);
  const [, version, commit] = /^\S+ (\S+) \(commit (\S+)\)/.exec(said ?? '') ?? [];
  const names = existsSync(dist) ? readdirSync(dist).sort() : [];
  const packages = (kind: string, versionIn: (file: string) => string | undefined): Statement[] => {
    const found = names.filter((name) => name.startsWith(NAME) && name.endsWith(`.${kind}`));
    if (found.length === 0) return [{ place: `dist/*.${kind}`, version: undefined }];
    return found.map((name) => ({ place: `dist/${name}`, version: versionIn(join(dist, name)) }));
  };
  return [
    { place: `dist/${PROGRAM} --version`, version, commit },
    ...packages('deb', (file) => output('dpkg-deb', ['--field', file, 'Version'])?.replace(/-\d+$/, '')),
    ...packages('rpm', (file) =>
      output('rpm', ['--query', '--package', '--queryformat', '%{VERSION}', file]),
    ),
    ...packages('tar', (file) => /-(\d[^-]*)-repo\.tar$/.exec(file)?.[1]),
    ...packages('tar.xz', (file) => /-(\d[^-]*)\.tar\.xz$/.exec(file)?.[1]),
  ];
}

/** The tags around HEAD of the repository at `root`. Throws where that is no repository with a commit. */
export function tagsOf(root: string, version: string): Tags {
  const git = (...args: string[]): string | undefined => output('git', args, root);
  const head = git('rev-parse', '--short=12', 'HEAD');
  if (head === undefined) throw new Error(`${root} is no git repository with a commit; run it in a clone`);
  const onHead = (git('tag', '--points-at', 'HEAD') ?? '').split('\n').filter((tag) => /^v\d/.test(tag));
  return {
    head,
    onHead,
    commitOfVersion: git('rev-parse', '--short=12', '--verify', '--quiet', `v${version}^{commit}`),
  };
}

/** Every disagreement, each with its remedy; empty when all agree. */
export function disagreements(statements: readonly Statement[], tags: Tags): readonly string[] {
  const [{ version: wanted = '' } = { version: '' }] = statements;
  const date = statements.find((one) => one.date !== undefined)?.date;
  const problems = statements.flatMap(({ place, version, date: ownDate, commit }) => {
    const maker = place.endsWith('.tar.xz') ? 'npm run dist' : 'npm run package';
    const isBuilt = place.startsWith('dist/');
    if (version === undefined)
      return [`${place} names no version; ${isBuilt ? `run ${maker}` : `it has to name ${wanted}`}`];
    const remedy = isBuilt ? `run ${maker}, and remove older packages` : 'correct one of the two';
    return [
      ...(version === wanted ? [] : [`${place} names ${version}, and package.json ${wanted}; ${remedy}`]),
      ...(ownDate === date || ownDate === undefined
        ? []
        : [`${place} names ${ownDate}, and CHANGELOG.md ${date ?? 'no date'}; correct one of the two`]),
      ...(commit === undefined || commit === tags.head
        ? []
        : [
            `${place} names commit ${commit}, and HEAD is ${tags.head}; commit all changes and run npm run package`,
          ]),
    ];
  });
  for (const tag of tags.onHead) {
    if (tag !== `v${wanted}`)
      problems.push(
        `the tag of HEAD is ${tag}, and package.json names ${wanted}; delete that tag or raise the version`,
      );
  }
  if (tags.commitOfVersion !== undefined && tags.commitOfVersion !== tags.head)
    problems.push(
      `the tag v${wanted} is on commit ${tags.commitOfVersion}, and HEAD is ${tags.head}; raise the version`,
    );
  return problems;
}
