/** The SELinux policy module, compiled without the interfaces of any distribution, so that it fits all of them. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DIST, PACKAGING, run } from './project.ts';

// What the oldest target's libsepol reads, that of RHEL 8.
const POLICY_VERSION = '19';

/** The bytes of ctdb_etcd_lock.pp. */
export function compilePolicy(): Buffer {
  const work = join(DIST, 'stage', 'selinux');
  mkdirSync(work, { recursive: true });
  const module = join(work, 'ctdb_etcd_lock.mod');
  const policy = join(work, 'ctdb_etcd_lock.pp');
  const sources = join(PACKAGING, 'selinux');
  run('checkmodule', ['-M', '-m', '-c', POLICY_VERSION, '-o', module, join(sources, 'ctdb_etcd_lock.te')]);
  run('semodule_package', ['-o', policy, '-m', module, '-f', join(sources, 'ctdb_etcd_lock.fc')]);
  return readFileSync(policy);
}
