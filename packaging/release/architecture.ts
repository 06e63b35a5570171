/** The machines that packages are made for, by the names that each tool has for them. */
import { join } from 'node:path';
import { DIST } from './project.ts';

export interface Architecture {
  /** Node.js's and npm's name. */
  readonly node: 'x64' | 'arm64';
  readonly deb: 'amd64' | 'arm64';
  readonly rpm: 'x86_64' | 'aarch64';
  /** The binary that the build makes for it. */
  readonly binary: string;
}

export const ARCHITECTURES: readonly Architecture[] = [
  { node: 'x64', deb: 'amd64', rpm: 'x86_64', binary: join(DIST, 'ctdb_etcd_lock') },
  { node: 'arm64', deb: 'arm64', rpm: 'aarch64', binary: join(DIST, 'arm64', 'ctdb_etcd_lock') },
];
