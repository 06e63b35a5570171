/** The Debian package, put together by dpkg-deb from packaging/debian. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from './architecture.ts';
import { CONFIG, DIST, HELPER, NAME, PACKAGING, ROOT, run, VERSION, type Provenance } from './project.ts';
import { debianDepends, requirementsOf } from './requirements.ts';
import { DOC, gzip, layOut, put, putZshCompletion, setTimes } from './tree.ts';

const DEBIAN = join(PACKAGING, 'debian');
const SCRIPTS = ['preinst', 'postinst', 'postrm'];

const read = (name: string): string => readFileSync(join(DEBIAN, name), 'utf8');

/** The version with Debian's revision, from the changelog, whose first entry must be about this version. */
export function debianVersion(): string {
  const version = /^\S+ \((\S+)\)/.exec(read('changelog'))?.[1] ?? '';
  if (version.replace(/-[^-]*$/, '') !== VERSION) {
    throw new Error(`packaging/debian/changelog starts with ${version}, want an entry for ${VERSION}`);
  }
  return version;
}

/** Paths below `root` of all files, sorted. */
function filesIn(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

/** The binary paragraph of packaging/debian/control, with what is only known now. */
function control(root: string, architecture: Architecture): string {
  const [source = '', binary = ''] = read('control').trim().split('\n\n');
  const fromSource = source.split('\n').filter((line) => /^(Section|Priority|Maintainer):/.test(line));
  const sizes = filesIn(root).map((file) => Math.ceil(statSync(join(root, file)).size / 1024));
  const installedKiB = sizes.reduce((sum, size) => sum + size, 0);
  return binary
    .replace(/^Architecture:.*$/m, `Version: ${debianVersion()}\nArchitecture: ${architecture.deb}`)
    .replace('${shlibs:Depends}', debianDepends(requirementsOf(architecture.binary)))
    .replace(/^Description:/m, `Installed-Size: ${installedKiB}\n${fromSource.join('\n')}\nDescription:`)
    .concat('\n');
}

function md5sums(root: string): string {
  const sum = (file: string): string =>
    createHash('md5')
      .update(readFileSync(join(root, file)))
      .digest('hex');
  return filesIn(root)
    .filter((file) => !file.startsWith('DEBIAN/') && `/${file}` !== CONFIG)
    .map((file) => `${sum(file)}  ${file}\n`)
    .join('');
}

/** Writes dist/NAME_VERSION_ARCH.deb and returns its path. */
export function buildDeb(architecture: Architecture, from: Provenance): string {
  const root = join(DIST, 'stage', `deb-${architecture.deb}`);
  layOut(root, architecture, from);
  putZshCompletion(root, '/usr/share/zsh/vendor-completions');
  put(root, `${DOC}/copyright`, read('copyright'));
  put(root, `${DOC}/changelog.gz`, gzip(readFileSync(join(ROOT, 'CHANGELOG.md'))));
  put(root, `${DOC}/changelog.Debian.gz`, gzip(read('changelog')));
  put(root, `/usr/share/lintian/overrides/${NAME}`, read(`${NAME}.lintian-overrides`));
  run('chmod', ['-R', 'u=rwX,go=rX', join(root, 'usr')]);
  run('chmod', ['0755', join(root, HELPER)]);
  put(root, 'DEBIAN/md5sums', md5sums(root));
  put(root, 'DEBIAN/conffiles', `${CONFIG}\n`);
  put(root, 'DEBIAN/control', control(root, architecture));
  for (const script of SCRIPTS) put(root, `DEBIAN/${script}`, read(script), 0o755);
  // dpkg-deb refuses what a strict umask makes of it.
  run('chmod', ['0755', join(root, 'DEBIAN')]);
  setTimes(root, from.epoch);
  const file = join(DIST, `${NAME}_${debianVersion()}_${architecture.deb}.deb`);
  rmSync(file, { force: true });
  // One thread: with more, the bytes would depend on their number. xz: dpkg of Debian 10 knows nothing newer.
  run('dpkg-deb', ['--root-owner-group', '-Zxz', '-z6', '--threads-max=1', '--build', root, file], {
    env: { SOURCE_DATE_EPOCH: String(from.epoch) },
  });
  return file;
}
