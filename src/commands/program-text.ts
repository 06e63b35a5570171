/** Facts about the build, set at build time. */
export interface BuildInfo {
  readonly version: string;
  /** The commit in hex, or a word when it is unknown. */
  readonly commit: string;
  /** The version of the etcd3 package. */
  readonly etcd3: string;
}

/** The versions of the runtime; `process.versions` has this type. */
export interface RuntimeInfo {
  readonly node: string;
  readonly openssl: string;
}

/** The text for `--help`, and for stderr after a mistake: whole lines, with a line feed at the end. */
export function helpText(): string {
  return `Usage: ctdb_etcd_lock [--name NAME] [--cluster-id ID] [-c FILE] [-v|-vv|-vvv]
       ctdb_etcd_lock check|status|release [-c FILE] [OPTION...]

Takes CTDB's cluster lock in etcd v3, answers with one byte on standard output,
and holds the lock until SIGTERM or until its parent process ends. CTDB starts
it. ctdb.conf has this line in the section [cluster], the same on every node:

  cluster lock = !/usr/libexec/ctdb/ctdb_etcd_lock --name NAME --cluster-id ID

CTDB compares this line between the nodes and shuts down a node that differs.
"ctdb_etcd_lock check" prints the line with your name and ID.

Commands for administrators, each with its own --help:
  check    test the configuration, etcd and CTDB, and say what to correct
  status   show the holder of the lock
  release  take the lock away from its holder

Options:
  -c, --config FILE  read FILE; without this option $CTDB_BASE/etcd, or
                     /etc/ctdb/etcd if CTDB_BASE is not set
  --name NAME        name of the lock; refuse a configuration with another name
  --cluster-id ID    ID of the etcd cluster; refuse every other cluster
  -v, --verbose      print more on standard error: -v events, -vv details,
                     -vvv every call
  -h, --help         show this text and exit
  -V, --version      show the versions and exit

Answers: 0 the lock is held, 1 another node holds it, 3 an error; one line on
standard error then says what to do.
`;
}

/** The text for `--version`: whole lines, with a line feed at the end. */
export function versionText(build: BuildInfo, runtime: RuntimeInfo): string {
  return `ctdb_etcd_lock ${build.version} (commit ${build.commit})
Node.js ${runtime.node}, OpenSSL ${runtime.openssl}, etcd3 ${build.etcd3}
`;
}
