/** SHA256SUMS beside the packages, and what the user sees of them. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DIST } from './project.ts';

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** One line per file on stdout: size, hash, name. */
export function report(files: readonly string[]): void {
  for (const file of files) {
    const size = `${(statSync(file).size / 1e6).toFixed(1)} MB`;
    console.log(`${size.padStart(9)}  ${sha256(file)}  ${basename(file)}`);
  }
}

/** Writes dist/SHA256SUMS over everything there that is handed out, for `sha256sum --check`. */
export function writeChecksums(): void {
  const names = readdirSync(DIST)
    .filter((name) => name === 'ctdb_etcd_lock' || /\.(deb|rpm|tar\.xz|tar)$/.test(name))
    .sort();
  const lines = names.map((name) => `${sha256(join(DIST, name))}  ${name}\n`);
  writeFileSync(join(DIST, 'SHA256SUMS'), lines.join(''));
}
