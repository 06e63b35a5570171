/** How the build speaks, and how it stops. */

/** One line per step on stdout. */
export function say(message: string): void {
  console.log(message);
}

/** Ends the build: a step did not give what it has to give. */
export function fail(message: string): never {
  throw new Error(message);
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

export function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(1)} kB`;
}
