import { readFileSync } from 'node:fs';

const GUIDE = readFileSync(new URL('../../docs/failure-guide.md', import.meta.url), 'utf8');

/** One row of a table of docs/failure-guide.md. */
export interface GuideEntry {
  readonly id: string;
  /** The words of the line, `…` for what is filled in; the first column after the identifier. */
  readonly lines: readonly string[];
  /** Those, and what else of the row is in the typeface of code. */
  readonly spans: readonly string[];
  /** The heading that it stands under. */
  readonly section: string;
}

function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span);
}

/** Every entry, in the order of the page. */
export function guideEntries(): GuideEntry[] {
  let section = '';
  return GUIDE.split('\n').flatMap((line): GuideEntry[] => {
    section = /^##+ (.+)$/.exec(line)?.[1] ?? section;
    const [, id, cell, rest] = /^\| `([a-z0-9-]+)` \| (.*?) \| (.*)$/.exec(line) ?? [];
    if (id === undefined || cell === undefined || rest === undefined) return [];
    return [{ id, lines: codeIn(cell), spans: [...codeIn(cell), ...codeIn(rest)], section }];
  });
}

/** Matches what `text` becomes when each `…` in it is filled in. */
export function filledIn(text: string): RegExp {
  const literal = text.trim().replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(literal.replace(/…+/g, '.*'));
}
