import { registerHooks } from 'node:module';

/** A change to one source file that a test makes on purpose. */
export interface Mutation {
  readonly name: string;
  /** Relative to the project's root. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

const ROOT = new URL('../../', import.meta.url);
const PROC = new URL('./sim-fs.ts', import.meta.url).href;

/**
 * Makes the modules loaded from here on see the simulated /proc instead of the real one, and `mutation`, if there is one,
 * in place of the source that it changes.
 */
export function hookLoader(mutation: Mutation | undefined): void {
  const mutated = mutation === undefined ? undefined : new URL(mutation.file, ROOT).href;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const isForProc = specifier === 'node:fs' || specifier === 'node:os';
      if (isForProc && context.parentURL?.endsWith('/src/process/linux-host.ts') === true)
        return nextResolve(PROC, context);
      return nextResolve(specifier, context);
    },
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (mutation === undefined || url !== mutated) return loaded;
      const source =
        typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
      const parts = source.split(mutation.find);
      if (parts.length !== 2)
        throw new Error(
          `Mutation "${mutation.name}": ${parts.length - 1} places in ${mutation.file}, want 1`,
        );
      return { ...loaded, source: parts.join(mutation.replace) };
    },
  });
}
