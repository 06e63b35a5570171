/**
 * Private names of classes as ordinary properties, in the bundle alone: TypeScript has seen to it that nobody uses them from
 * outside. Without a JIT, V8 finds a `#name` by a lookup that it does not remember, and makes each field of a new object by a
 * call into its runtime: a tenth of what a holder costs between its renewals, and a hundredth of a start.
 */
import { readFile } from 'node:fs/promises';
import type { Plugin } from 'esbuild';
import ts from 'typescript';

/** The names that esbuild is to make short. */
export const FORMER_PRIVATE_NAME = /^_private_/;

/** The source with `#name` of class `Class` as `_private_Class_name`, which a class derived from it does not use. */
export function withoutPrivateNames(fileName: string, source: string): string {
  const file = ts.createSourceFile(fileName, source, ts.ScriptTarget.Latest);
  const places: { readonly from: number; readonly to: number; readonly name: string }[] = [];
  const visit = (node: ts.Node, className: string): void => {
    if (ts.isPrivateIdentifier(node)) {
      const name = `_private_${className}_${node.text.slice(1)}`;
      places.push({ from: node.getStart(file), to: node.end, name });
    }
    const inside = ts.isClassLike(node) ? (node.name?.text ?? '') : className;
    ts.forEachChild(node, (child) => {
      visit(child, inside);
    });
  };
  visit(file, '');
  let result = source;
  for (const { from, to, name } of places.reverse()) result = result.slice(0, from) + name + result.slice(to);
  return result;
}

export function privateNames(): Plugin {
  return {
    name: 'private-names',
    setup(build) {
      build.onLoad({ filter: /(src\/([^/]*\/){0,2}|build\/)[^/]*\.ts$/ }, async ({ path }) => ({
        contents: withoutPrivateNames(path, await readFile(path, 'utf8')),
        loader: 'ts',
      }));
    },
  };
}
