import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChecked } from '../support/processes.ts';
import { CHECKOUT } from './root.ts';

const DIST = join(CHECKOUT, 'dist');

/** The one file in dist/ whose name has that form. */
export function built(pattern: RegExp): string {
  const names = readdirSync(DIST).filter((name) => pattern.test(name));
  const [name] = names;
  if (name === undefined || names.length > 1) {
    throw new Error(`dist/ has ${names.length} files like ${String(pattern)}, want one: run npm run package`);
  }
  return join(DIST, name);
}

export const DEB = /^ctdb-etcd-lock_.*_amd64\.deb$/;
export const RPM = /^ctdb-etcd-lock-\d.*\.x86_64\.rpm$/;
export const REPOSITORY = /^ctdb-etcd-lock-.*-repo\.tar$/;
export const SELINUX_RPM = /^ctdb-etcd-lock-selinux-.*\.noarch\.rpm$/;

/**
 * The Debian package once more under another version, with changes, and hardly compressed.
 * @param change is handed the directory of the unpacked package
 */
export async function variant(
  directory: string,
  version: string,
  change: (root: string) => void = () => undefined,
): Promise<string> {
  const root = join(directory, `variant-${version}`);
  await runChecked('dpkg-deb', ['--raw-extract', built(DEB), root]);
  const control = join(root, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${version}`));
  change(root);
  const file = join(directory, `ctdb-etcd-lock_${version}_amd64.deb`);
  await runChecked('dpkg-deb', ['--root-owner-group', '-Znone', '--build', root, file]);
  return file;
}
