/** Bugs of etcd that touch a lock, by release. */

interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** One bug that a release has, and the way out. */
export interface KnownBug {
  /** In etcd's issue tracker: https://github.com/etcd-io/etcd/issues/NUMBER */
  readonly issue: number;
  readonly what: string;
  /** False: the lock is proof against it by itself. */
  readonly endangersLock: boolean;
  /** The first release of the same line without the bug; undefined where the line never got the fix. */
  readonly fixedIn: string | undefined;
}

/** The first release without the bug in each line, and the first with it where it came with a release. */
const BUGS: readonly {
  readonly issue: number;
  readonly what: string;
  readonly endangersLock: boolean;
  readonly fixedIn: readonly string[];
  readonly since?: readonly string[];
}[] = [
  {
    issue: 15247,
    what: 'after a raft leader has stalled, a lease that lives can be ended',
    endangersLock: true,
    fixedIn: ['3.4.31', '3.5.13', '3.6.0'],
  },
  {
    issue: 18069,
    what: 'leases cost the members much CPU and traffic',
    endangersLock: false,
    since: ['3.4.31', '3.5.13'],
    fixedIn: ['3.4.34', '3.5.16', '3.6.0'],
  },
  {
    issue: 20590,
    what: 'a renewal is reported as successful for a lease that was revoked',
    endangersLock: false,
    fixedIn: ['3.4.38', '3.5.23', '3.6.5'],
  },
  {
    issue: 13675,
    what: 'a renewal right after the grant can be refused',
    endangersLock: false,
    fixedIn: ['3.4.20', '3.5.3', '3.6.0'],
  },
];

function parse(text: string): Version | undefined {
  const [, major, minor, patch] = /^v?(\d+)\.(\d+)\.(\d+)/.exec(text) ?? [];
  if (major === undefined || minor === undefined || patch === undefined) return undefined;
  return { major: Number(major), minor: Number(minor), patch: Number(patch) };
}

function isBefore(a: Version, b: Version): boolean {
  if (a.major !== b.major) return a.major < b.major;
  return a.minor === b.minor ? a.patch < b.patch : a.minor < b.minor;
}

function inLine({ major, minor }: Version, releases: readonly string[]): string | undefined {
  return releases.find((release) => release.startsWith(`${major}.${minor}.`));
}

/** True when `version` is `release` or a later one of any line; false for what is no version. */
export function isAtLeast(version: string, release: string): boolean {
  const [ours, theirs] = [parse(version), parse(release)];
  return ours !== undefined && theirs !== undefined && !isBefore(ours, theirs);
}

/** The known bugs of a version such as `3.4.23`; none for what is no version. */
export function bugsOf(version: string): KnownBug[] {
  const ours = parse(version);
  if (ours === undefined) return [];
  return BUGS.flatMap(({ issue, what, endangersLock, fixedIn, since }) => {
    const fix = inLine(ours, fixedIn);
    const hasFix =
      fix === undefined
        ? fixedIn.every((release) => isAtLeast(version, release)) // a line that began after the fix
        : isAtLeast(version, fix);
    if (hasFix) return [];
    if (since !== undefined) {
      const first = inLine(ours, since);
      if (first === undefined || !isAtLeast(version, first)) return [];
    }
    return [{ issue, what, endangersLock, fixedIn: fix }];
  });
}
