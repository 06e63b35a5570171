/** Bugs of etcd that touch a lock, by release. */

interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** One bug of a release, and the release that fixes it. */
export interface KnownBug {
  /**
   * The number in etcd's issue tracker: https://github.com/etcd-io/etcd/issues/NUMBER. Undefined: the bug is known from
   * the changelog.
   */
  readonly issue: number | undefined;
  readonly what: string;
  /** False: the helper protects the lock against the bug. */
  readonly endangersLock: boolean;
  /** The first fixed release of the same line; undefined when the line has no fix. */
  readonly fixedIn: string | undefined;
}

/**
 * For each line, the first release without the bug. Also the first release with it, when the bug came with a release.
 */
const BUGS: readonly {
  readonly issue: number | undefined;
  readonly what: string;
  readonly endangersLock: boolean;
  readonly fixedIn: readonly string[];
  readonly since?: readonly string[];
}[] = [
  {
    issue: 15247,
    what: 'after a raft leader has stalled, etcd can end a lease that is still renewed',
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
    what: 'a renewal is reported as successful for a lease that was revoked (FastLeaseKeepAlive, on by default)',
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
    what: 'the time to live of a lease can be wrong at a change of the raft leader',
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
    what: 'some calls are allowed without permission (CVE-2026-33413)',
    endangersLock: true,
    since: ['3.4.0', '3.5.0', '3.6.0'],
    fixedIn: ['3.4.42', '3.5.28', '3.6.9'],
  },
  {
    issue: undefined,
    what: 'a watch can show keys without permission',
    endangersLock: false,
    since: ['3.5.0', '3.6.0', '3.7.0'],
    fixedIn: ['3.5.33', '3.6.14', '3.7.1'],
  },
];

/** The lines whose bugs are listed above. Bugs of other versions are unknown. */
const KNOWN_LINES = ['3.4', '3.5', '3.6', '3.7'];

/** The last release of each line that gets no more fixes. */
const LAST_OF_ENDED: Readonly<Record<string, string>> = { '3.4': '3.4.45' };

function lineOf({ major, minor }: Version): string {
  return `${major}.${minor}`;
}

/** True when the bugs of this version's line are listed here. */
export function isKnownLine(version: string): boolean {
  const ours = parse(version);
  return ours !== undefined && KNOWN_LINES.includes(lineOf(ours));
}

/**
 * The last release of the version's line, when that line gets no more fixes. Undefined when it still gets fixes, or
 * when that is unknown.
 */
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

/** True when `version` is `release` or later, in any line. False when `version` is not a version. */
export function isAtLeast(version: string, release: string): boolean {
  const [ours, theirs] = [parse(version), parse(release)];
  return ours !== undefined && theirs !== undefined && !isBefore(ours, theirs);
}

/** The known bugs of a version such as `3.4.23`; empty when it is not a version. */
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
