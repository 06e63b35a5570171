type CollectGarbage = (options: {
  readonly type: 'major';
  readonly flavor: 'last-resort' | 'regular';
}) => void;

/**
 * Collects all garbage and gives free memory back to the kernel. V8 does not do so by itself in a process that
 * allocates as little as a holder. Measured after a take: 17.4 MB of memory of its own before, 13.4 MB after, for 31 ms
 * of processor time. Without any effect when the runtime cannot do it. Never throws.
 */
export function giveBackMemory(): void {
  try {
    // Loaded here, because loading them is part of a start otherwise. The packed program has no `import()`.
    const { setFlagsFromString } = process.getBuiltinModule('node:v8');
    const { runInNewContext } = process.getBuiltinModule('node:vm');
    // The option --expose-gc would serve too, but with it V8 refuses the runtime's code cache.
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as CollectGarbage;
    collectGarbage({ type: 'major', flavor: 'last-resort' });
  } catch {
    // Ignored: the lock must not be lost because memory is not given back.
  }
}
