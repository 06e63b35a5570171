import { registerHooks } from 'node:module';

/** A change of one place in one source file. */
export interface Edit {
  /** Relative to the project's root. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** A change to the source that a test makes on purpose: one place, and what else belongs to it. */
export interface Mutation extends Edit {
  readonly name: string;
  readonly also?: readonly Edit[];
}

export function editsOf(mutation: Mutation): readonly Edit[] {
  return [mutation, ...(mutation.also ?? [])];
}

const ROOT = new URL('../../', import.meta.url);
const PROC = new URL('./sim-fs.ts', import.meta.url).href;

/**
 * Makes the modules loaded from here on see the simulated /proc instead of the real one, and `mutation`, if there is one,
 * in place of the source that it changes.
 */
export function hookLoader(mutation: Mutation | undefined): void {
  const edits = mutation === undefined ? [] : editsOf(mutation);
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const isForProc = specifier === 'node:fs' || specifier === 'node:os';
      if (isForProc && /\/src\/process\/(linux-host|procfs)\.ts$/.test(context.parentURL ?? ''))
        return nextResolve(PROC, context);
      return nextResolve(specifier, context);
    },
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const due = edits.filter(({ file }) => new URL(file, ROOT).href === url);
      if (due.length === 0) return loaded;
      const source =
        typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
      return { ...loaded, source: edited(source, due) };
    },
  });
}

/** All places are those of the source as it is. */
function edited(source: string, edits: readonly Edit[]): string {
  const places = edits.map((edit) => ({ ...edit, at: placeOf(source, edit) }));
  return places
    .sort((one, other) => other.at - one.at)
    .reduce(
      (text, { at, find, replace }) => text.slice(0, at) + replace + text.slice(at + find.length),
      source,
    );
}

/** Where an edit is to be made; an error unless there is exactly one place. */
export function placeOf(source: string, { file, find }: Edit): number {
  const at = source.indexOf(find);
  if (at === -1 || source.includes(find, at + 1))
    throw new Error(`${file} has ${at === -1 ? 'no' : 'more than one'} place with "${find}", want 1`);
  return at;
}
