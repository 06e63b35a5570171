import { readFileSync } from 'node:fs';

/** The blocks of a page of docs/ that begin with "```" and `info`, in the order of the page. */
export function pageBlocks(page: string, info: string): string[] {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].flatMap(([, found, block]) =>
    found === info && block !== undefined ? [block] : [],
  );
}
