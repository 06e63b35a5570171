import { readFileSync } from 'node:fs';

const GUIDE = readFileSync(new URL('../../docs/failure-guide.md', import.meta.url), 'utf8');

/** One entry of docs/failure-guide.md: a row of a table, or a heading `#### ID` with what stands under it. */
export interface GuideEntry {
  readonly id: string;
  /** The words of the line, `…` for what is filled in: the first column after the identifier, or the list under the heading. */
  readonly lines: readonly string[];
  /** Those, and everything else of the entry in the typeface of code. */
  readonly spans: readonly string[];
  /** The heading of the section. */
  readonly section: string;
  /** Where a link to the entry leads. */
  readonly anchor: string;
}

function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span);
}

function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

/** The entries of one section: everything from its heading to the next one of a section. */
function entriesOf(section: string, body: string): GuideEntry[] {
  const [table = '', ...parts] = body.split(/^#### /m);
  const rows = table.split('\n').flatMap((line): GuideEntry[] => {
    const [, id, cell, rest] = /^\| `([a-z0-9-]+)` \| (.*?) \| (.*)$/.exec(line) ?? [];
    if (id === undefined || cell === undefined || rest === undefined) return [];
    const lines = codeIn(cell);
    return [{ id, lines, spans: [...lines, ...codeIn(rest)], section, anchor: anchorOf(section) }];
  });
  const headed = parts.map((part): GuideEntry => {
    const [id = '', ...under] = part.split('\n');
    const lines = under.filter((line) => line.startsWith('- ')).flatMap(codeIn);
    return { id, lines, spans: codeIn(under.join('\n')), section, anchor: id };
  });
  return [...rows, ...headed];
}

/** Every entry, in the order of the page. */
export function guideEntries(): GuideEntry[] {
  return GUIDE.split(/^(?=##{1,2} )/m).flatMap((part) => {
    const [, section = '', body = ''] = /^##{1,2} (.+)\n([^]*)$/.exec(part) ?? [];
    return entriesOf(section, body);
  });
}

/** Matches what `text` becomes when each `…` in it is filled in. */
export function filledIn(text: string): RegExp {
  const literal = text.trim().replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(literal.replace(/…+/g, '.*'));
}
