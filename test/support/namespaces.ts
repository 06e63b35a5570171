import { getuid } from 'node:process';

/** Options for an `unshare` that otherwise needs root: a user namespace in which the caller is root. */
const AS_ROOT = getuid?.() === 0 ? [] : ['--map-root-user'];

/**
 * A command in front of another that puts it into a PID namespace with a /proc of its own: as its PID 1, as in a
 * container whose command it is, or as a child of its PID 1; or as such a child that sees the /proc of the host.
 */
export function inPidNamespace(as: 'asInit' | 'asChild' | 'asChildWithForeignProc'): string[] {
  const proc = as === 'asChildWithForeignProc' ? [] : ['--mount-proc'];
  const unshare = ['unshare', ...AS_ROOT, '--pid', '--fork', '--kill-child', ...proc];
  // The shell must not exec its only command, which it would do with the last one.
  return as === 'asInit' ? unshare : [...unshare, 'sh', '-c', '"$@"; exit $?', 'sh'];
}

/** A command in front of another that may call chroot(2). */
export function mayChroot(): string[] {
  return AS_ROOT.length === 0 ? [] : ['unshare', ...AS_ROOT];
}

/** A command in front of another that gives it a network and mounts of its own, made by `setUp`, a shell command. */
export function inOwnNetwork(setUp: string): string[] {
  return ['unshare', ...AS_ROOT, '--net', '--mount', 'sh', '-c', `${setUp} && exec "$@"`, 'sh'];
}

/** A command in front of another that gives it mounts of its own, changed by `setUp`, a shell command. */
export function inOwnMounts(setUp: string): string[] {
  return ['unshare', ...AS_ROOT, '--mount', 'sh', '-c', `${setUp} && exec "$@"`, 'sh'];
}

/**
 * A shell command that puts a line of text in the place of a file of the system. The mount keeps the text; the temporary
 * file that it came from is removed at once.
 */
export function withOwnFile(file: string, text: string): string {
  const mount = `mount --bind "$own" "$(readlink -f ${file})"`;
  return `own=$(mktemp) && chmod 644 "$own" && printf '${text}\\n' > "$own" && ${mount} && rm "$own"`;
}
