import { readFileSync } from 'node:fs';

const textOf = (page: string): string => readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');

/** The blocks of a page of docs/ that begin with "```" and `info`, in the order of the page. */
export function pageBlocks(page: string, info: string): string[] {
  return [...textOf(page).matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].flatMap(([, found, block]) =>
    found === info && block !== undefined ? [block] : [],
  );
}

/** What stands in the typeface of code within the sentences of a page of docs/. */
export function pageSpans(page: string): string[] {
  const sentences = textOf(page).replace(/^```[\s\S]*?^```$/gm, '');
  return [...sentences.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span);
}
