/** What is inside the binary: our program, the packages that were bundled with it, and the runtime. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Component {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly licence: string;
  /** The licence as its authors ship it. */
  readonly text: string;
  readonly homepage: string;
  /** Where the build got it from, as a package URL (purl). */
  readonly purl: string;
}

interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly homepage?: string;
}

// Our own files, and the module that the bundler makes up out of them (packaging/build/proto-loader.ts).
const OURS = /^(codec:|src\/|packaging\/)/;

// The one kind of licence that a package may have without a word from us; another one is a decision.
const ACCEPTED = new Set(['MIT', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', '0BSD']);

/** The directory of the npm package that `path` lies in; undefined for our own files. */
export function packageDirectory(path: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
}

function licenceText(directory: string): string {
  const file = readdirSync(directory).find((name) => /^licen[cs]e(\.(md|txt))?$/i.test(name));
  const text = file === undefined ? '' : readFileSync(join(directory, file), 'utf8').trim();
  if (text === '') throw new Error(`${directory} is bundled and has no licence text`);
  return text;
}

function npmComponent(directory: string): Component {
  const {
    name,
    version,
    license = '',
    homepage,
  } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as PackageJson;
  if (!ACCEPTED.has(license)) {
    throw new Error(
      `${directory} is bundled under the licence "${license}", want ${[...ACCEPTED].join(', ')}`,
    );
  }
  return {
    name,
    version,
    licence: license,
    text: licenceText(directory),
    homepage: homepage ?? `https://www.npmjs.com/package/${name}`,
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
  };
}

/** The packages that the files named in `inputs` belong to, by name. `root` is where the paths start. */
export function bundledPackages(root: string, inputs: readonly string[]): Component[] {
  const directories = new Set<string>();
  for (const input of inputs) {
    const directory = packageDirectory(input);
    if (directory !== undefined) directories.add(join(root, directory));
    else if (!OURS.test(input)) {
      throw new Error(`${input} is bundled, and it is not known whose it is`);
    }
  }
  const found = [...directories].map(npmComponent);
  return found.sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** A package of the build's own whose licence file is the text that etcd has too. */
const APACHE_SAMPLE = 'node_modules/@grpc/grpc-js';

/** etcd's protocol: the tables of the codec are made from its definition, which etcd3 carries without etcd's licence. */
export function protocol(root: string, packages: readonly Component[]): Component {
  const etcd3 = packages.find(({ name }) => name === 'etcd3');
  if (etcd3 === undefined) throw new Error('etcd3, which carries the protocol of etcd, is not bundled');
  const { licence, text } = npmComponent(join(root, APACHE_SAMPLE));
  if (licence !== 'Apache-2.0') throw new Error(`${APACHE_SAMPLE} is under ${licence}, want Apache-2.0`);
  return {
    name: 'etcd protocol definition',
    version: `etcd3-${etcd3.version}`,
    licence,
    text,
    homepage: 'https://etcd.io/',
    purl: 'pkg:github/etcd-io/etcd',
  };
}

/** The runtime. Its licence file has those of the libraries inside it. */
export function runtime(directory: string): Component {
  if (!existsSync(join(directory, 'LICENSE'))) throw new Error(`${directory} has no LICENSE`);
  const { version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as PackageJson;
  return {
    name: 'Node.js',
    version,
    licence: 'MIT',
    text: licenceText(directory),
    homepage: 'https://nodejs.org/',
    purl: `pkg:generic/nodejs@${version}?download_url=https://nodejs.org/dist/v${version}/`,
  };
}
