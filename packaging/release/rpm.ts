/** The RPM packages, built by rpmbuild from packaging/rpm. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from './architecture.ts';
import { DIST, NAME, PACKAGING, ROOT, run, VERSION, type Provenance } from './project.ts';
import { compilePolicy } from './selinux.ts';
import { DOC, layOut, put, putZshCompletion, setTimes } from './tree.ts';

/** Lays out the files of the RPMs, and returns where. */
export function stageRpm(architecture: Architecture, from: Provenance): string {
  const root = join(DIST, 'stage', `rpm-${architecture.rpm}`);
  layOut(root, architecture, from);
  putZshCompletion(root, '/usr/share/zsh/site-functions');
  for (const name of ['LICENSE', 'CHANGELOG.md']) {
    put(root, `${DOC}/${name}`, readFileSync(join(ROOT, name)));
  }
  put(root, '/usr/share/selinux/packages/ctdb_etcd_lock.pp', compilePolicy());
  put(
    root,
    '/usr/share/selinux/devel/include/contrib/ctdb_etcd_lock.if',
    readFileSync(join(PACKAGING, 'selinux/ctdb_etcd_lock.if')),
  );
  run('chmod', ['-R', 'u=rwX,go=rX', join(root, 'usr')]);
  setTimes(root, from.epoch);
  return root;
}

/** As the changelog of a spec writes it. */
function changelogDate(epoch: number): string {
  const [weekday = '', day = '', month = '', year = ''] = new Date(epoch * 1000).toUTCString().split(/,? /);
  return `${weekday} ${month} ${day} ${year}`;
}

/** Writes the RPMs into dist/ and returns their paths. */
export function buildRpm(architecture: Architecture, from: Provenance): string[] {
  const staged = stageRpm(architecture, from);
  const top = join(DIST, 'stage', `rpmbuild-${architecture.rpm}`);
  rmSync(top, { recursive: true, force: true });
  mkdirSync(top, { recursive: true });
  const definitions: Readonly<Record<string, string>> = {
    _topdir: top,
    staged,
    upstream_version: VERSION,
    date_of_change: changelogDate(from.epoch),
    _build_name_fmt: '%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm',
    // The same bytes on every machine and at every time.
    _buildhost: 'localhost',
    use_source_date_epoch_as_buildtime: '1',
    clamp_mtime_to_source_date_epoch: '1',
  };
  const defines = Object.entries(definitions).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
  const spec = join(PACKAGING, 'rpm', `${NAME}.spec`);
  run('rpmbuild', ['-bb', '--quiet', '--target', architecture.rpm, ...defines, spec], {
    env: { SOURCE_DATE_EPOCH: String(from.epoch) },
  });
  return readdirSync(join(top, 'RPMS')).map((name) => {
    const file = join(DIST, name);
    renameSync(join(top, 'RPMS', name), file);
    return file;
  });
}
