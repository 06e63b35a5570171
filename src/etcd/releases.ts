/** Bugs of etcd that touch a lock, by release. */

interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** One bug that a release has, and the way out. */
export interface KnownBug {
  /** In etcd's issue tracker: https://github.com/etcd-io/etcd/issues/NUMBER; undefined where it is known from the changelog. */
  readonly issue: number | undefined;
  readonly what: string;
  /** False: the lock is proof against it by itself. */
  readonly endangersLock: boolean;
  /** The first release of the same line without the bug; undefined where the line never got the fix. */
  readonly fixedIn: string | undefined;
}

/** The first release without the bug in each line, and the first with it where it came with a release. */
const BUGS: readonly {
  readonly issue: number | undefined;
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
  {
    issue: 20418,
    what: 'a read can be stale after a member has stalled',
    endangersLock: true,
    since: ['3.4.20', '3.5.0', '3.6.0'],
    fixedIn: ['3.4.42', '3.5.28', '3.6.9'],
  },
  {
    issue: 20590,
    what: 'a renewal is reported as successful for a lease that was revoked, by default again (FastLeaseKeepAlive)',
    endangersLock: false,
    since: ['3.7.0'],
    fixedIn: [],
  },
  {
    issue: undefined,
    what: 'members can have different data after a crash',
    endangersLock: true,
    since: ['3.5.0'],
    fixedIn: ['3.5.3'],
  },
  {
    issue: undefined,
    what: 'members can have different revisions after a crash during a defragmentation',
    endangersLock: true,
    since: ['3.5.0'],
    fixedIn: ['3.5.6'],
  },
  {
    issue: undefined,
    what: 'a cluster of one member can lose a write after a crash, and its users and roles may not be loaded',
    endangersLock: true,
    since: ['3.4.0', '3.5.0'],
    fixedIn: ['3.4.21', '3.5.5'],
  },
  {
    issue: undefined,
    what: 'a watch can go back in time',
    endangersLock: false,
    since: ['3.4.0', '3.5.0'],
    fixedIn: ['3.4.25', '3.5.8'],
  },
  {
    issue: undefined,
    what: 'the time to live of a lease can be wrong at a change of the leader',
    endangersLock: false,
    since: ['3.4.0', '3.5.0'],
    fixedIn: ['3.4.32', '3.5.14'],
  },
  {
    issue: undefined,
    what: 'a watch can miss a delete at the revision of a compaction',
    endangersLock: false,
    since: ['3.4.0', '3.5.0'],
    fixedIn: ['3.4.36', '3.5.18'],
  },
  {
    issue: undefined,
    what: 'a snapshot during a defragmentation can corrupt a member',
    endangersLock: true,
    since: ['3.4.0', '3.5.0', '3.6.0'],
    fixedIn: ['3.4.38', '3.5.23', '3.6.5'],
  },
  {
    issue: undefined,
    what: 'calls can be made without the permission for them (CVE-2026-33413)',
    endangersLock: true,
    since: ['3.4.0', '3.5.0', '3.6.0'],
    fixedIn: ['3.4.42', '3.5.28', '3.6.9'],
  },
  {
    issue: undefined,
    what: 'a watch can see keys beyond its permission',
    endangersLock: false,
    since: ['3.5.0', '3.6.0', '3.7.0'],
    fixedIn: ['3.5.33', '3.6.14', '3.7.1'],
  },
];

/** The lines whose bugs are listed above; of any other version nothing is known. */
const KNOWN_LINES = ['3.4', '3.5', '3.6', '3.7'];

/** The last release of each line that gets no fixes any more. */
const LAST_OF_ENDED: Readonly<Record<string, string>> = { '3.4': '3.4.45' };

function lineOf({ major, minor }: Version): string {
  return `${major}.${minor}`;
}

/** Whether the bugs of this version's line are listed here. */
export function isKnownLine(version: string): boolean {
  const ours = parse(version);
  return ours !== undefined && KNOWN_LINES.includes(lineOf(ours));
}

/** The last release of the line when that has ended; undefined when it has not, or when that is not known. */
export function lastOfEndedLine(version: string): string | undefined {
  const ours = parse(version);
  return ours === undefined ? undefined : LAST_OF_ENDED[lineOf(ours)];
}

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
        ? fixedIn.length > 0 && fixedIn.every((release) => isAtLeast(version, release)) // a line that began after the fix
        : isAtLeast(version, fix);
    if (hasFix) return [];
    if (since !== undefined) {
      const first = inLine(ours, since);
      if (first === undefined || !isAtLeast(version, first)) return [];
    }
    return [{ issue, what, endangersLock, fixedIn: fix }];
  });
}
