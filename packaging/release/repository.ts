/**
 * A repository of the packages for sites without a network: one tar file with the metadata of APT and of YUM and DNF. The nodes
 * use it from a directory, so no server is needed.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DIST, NAME, run, VERSION, type Provenance } from './project.ts';
import { gzip, setTimes } from './tree.ts';

/** Where the pages and the samples say that it is unpacked. */
const PLACE = `/srv/${NAME}`;
const KEY_FILE = `${NAME}.asc`;

/** Of this version, for whichever machines they were built. */
function packagesIn(directory: string): { readonly debs: string[]; readonly rpms: string[] } {
  const names = readdirSync(directory).sort();
  return {
    debs: names.filter((name) => name.startsWith(`${NAME}_${VERSION}-`) && name.endsWith('.deb')),
    rpms: names.filter(
      (name) => name.startsWith(NAME) && name.includes(`-${VERSION}-`) && name.endsWith('.rpm'),
    ),
  };
}

/** The metadata of a flat repository, which needs no suites and components. */
function describeForApt(apt: string, epoch: number, key: string | undefined): void {
  const packages = run('apt-ftparchive', ['packages', '.'], { cwd: apt });
  writeFileSync(join(apt, 'Packages'), packages);
  writeFileSync(join(apt, 'Packages.gz'), gzip(packages));
  const options = Object.entries({ Origin: NAME, Label: NAME, Description: 'CTDB cluster lock in etcd v3' });
  const release = run(
    'apt-ftparchive',
    [
      ...options.flatMap(([name, value]) => ['-o', `APT::FTPArchive::Release::${name}=${value}`]),
      'release',
      '.',
    ],
    { cwd: apt },
  );
  // It knows no SOURCE_DATE_EPOCH.
  const date = new Date(epoch * 1_000).toUTCString().replace('GMT', '+0000');
  writeFileSync(join(apt, 'Release'), release.replace(/^Date: .*$/m, `Date: ${date}`));
  if (key === undefined) return;
  const gpg = ['--batch', '--yes', '--local-user', key];
  run('gpg', [...gpg, '--clearsign', '--output', 'InRelease', 'Release'], { cwd: apt });
  run('gpg', [...gpg, '--armor', '--detach-sign', '--output', 'Release.gpg', 'Release'], { cwd: apt });
}

function describeForYum(yum: string, rpms: readonly string[], epoch: number, key: string | undefined): void {
  // The copies, not those in dist/, which are the same bytes wherever they are built.
  if (key !== undefined)
    // Debian's rpm looks for gpg2, which no package has any more.
    run('rpmsign', [
      '--define',
      `_gpg_name ${key}`,
      '--define',
      '__gpg /usr/bin/gpg',
      '--addsign',
      ...rpms.map((name) => join(yum, name)),
    ]);
  const time = ['--revision', String(epoch), '--set-timestamp-to-revision'];
  run('createrepo_c', [
    '--quiet',
    '--no-database',
    '--general-compress-type',
    'gz',
    '--workers',
    '1',
    ...time,
    yum,
  ]);
  if (key === undefined) return;
  const file = join(yum, 'repodata/repomd.xml');
  run('gpg', ['--batch', '--yes', '--local-user', key, '--armor', '--detach-sign', file]);
}

/** How the nodes are told of it: a line for APT, a file for YUM and DNF. */
function samples(isSigned: boolean): Readonly<Record<string, string>> {
  const trust = isSigned ? `signed-by=${PLACE}/${KEY_FILE}` : 'trusted=yes';
  const checks = isSigned
    ? `gpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://${PLACE}/${KEY_FILE}`
    : 'gpgcheck=0\nrepo_gpgcheck=0';
  return {
    [`${NAME}.list`]: `deb [${trust}] file:${PLACE}/apt ./\n`,
    [`${NAME}.repo`]: `[${NAME}]\nname=CTDB cluster lock in etcd v3\nbaseurl=file://${PLACE}/yum\nenabled=1\n${checks}\n`,
    README: `${NAME} ${VERSION}, a repository for nodes without a network.

Unpack it on each node, or on a file system that all nodes see, as ${PLACE}:

  mkdir -p ${PLACE} && tar -xf ${NAME}-${VERSION}-repo.tar -C ${PLACE} --strip-components=1

Debian, Ubuntu:

  cp ${PLACE}/${NAME}.list /etc/apt/sources.list.d/
  apt-get update && apt-get install ${NAME}

RHEL, Fedora and their kin:

  cp ${PLACE}/${NAME}.repo /etc/yum.repos.d/
  dnf install ${NAME}

${
  isSigned
    ? `The repository is signed; the key is ${KEY_FILE}. Compare its fingerprint with the one that you were told.`
    : `The repository is not signed: compare the tar file with SHA256SUMS before you unpack it.`
}
`,
  };
}

/**
 * Writes dist/NAME-VERSION-repo.tar of the packages in dist/, and returns its path.
 * @param key GPG's name for the key to sign with; undefined for no signatures
 */
export function buildRepository(from: Provenance, key: string | undefined): string {
  const { debs, rpms } = packagesIn(DIST);
  if (debs.length === 0 || rpms.length === 0)
    throw new Error(
      `dist/ has no ${debs.length === 0 ? 'DEB' : 'RPM'} of ${VERSION}: run "npm run package" first`,
    );
  const name = `${NAME}-${VERSION}-repo`;
  const stage = join(DIST, 'stage', 'repository');
  const tree = join(stage, name);
  rmSync(stage, { recursive: true, force: true });
  for (const [directory, names] of [
    ['apt', debs],
    ['yum', rpms],
  ] as const) {
    mkdirSync(join(tree, directory), { recursive: true });
    for (const file of names) copyFileSync(join(DIST, file), join(tree, directory, file));
    // createrepo_c writes the time of each file into the metadata.
    setTimes(join(tree, directory), from.epoch);
  }
  describeForApt(join(tree, 'apt'), from.epoch, key);
  describeForYum(join(tree, 'yum'), rpms, from.epoch, key);
  for (const [file, text] of Object.entries(samples(key !== undefined)))
    writeFileSync(join(tree, file), text);
  if (key !== undefined)
    writeFileSync(join(tree, KEY_FILE), run('gpg', ['--batch', '--armor', '--export', key]));
  const archive = join(DIST, `${name}.tar`);
  rmSync(archive, { force: true });
  execFileSync(
    'tar',
    [
      ...['--sort=name', '--format=gnu', `--mtime=@${from.epoch}`, '--owner=root:0', '--group=root:0'],
      ...['--mode=u=rwX,go=rX', '--directory', stage, '--create', '--file', archive, name],
    ],
    { stdio: 'inherit' },
  );
  rmSync(stage, { recursive: true });
  return archive;
}
