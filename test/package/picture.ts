/** What a terminal shows, as a picture: text with the few colours that the commands use. */

/** Characters in a line of the terminal. */
export const COLUMNS = 140;
const CHARACTER = 7.2;
const LINE = 16;
const COLOURS: Readonly<Record<string, string>> = {
  31: '#ff7b72',
  32: '#7ee787',
  33: '#e3b341',
  2: '#8b949e',
};

interface Cell {
  readonly character: string;
  readonly colour: string;
}

/* eslint-disable no-control-regex -- escape sequences are what it reads */

/** The rows of the terminal, wrapped at its right edge. */
function rowsOf(text: string): Cell[][] {
  return text.split(/\r?\n/).flatMap((line) => {
    let colour = '#e6edf3';
    const cells: Cell[] = [];
    for (const [part] of line.matchAll(/\u001b\[\d+m|[^\u001b]/g)) {
      const code = /^\u001b\[(\d+)m$/.exec(part)?.[1];
      if (code === undefined) cells.push({ character: part, colour });
      else colour = COLOURS[code] ?? '#e6edf3';
    }
    const count = Math.max(1, Math.ceil(cells.length / COLUMNS));
    return Array.from({ length: count }, (_, row) => cells.slice(row * COLUMNS, (row + 1) * COLUMNS));
  });
}

const escape = (text: string): string => text.replace(/[&<>]/g, (sign) => `&#${sign.codePointAt(0) ?? 0};`);

/** An SVG of what `text`, with its escape sequences, looks like. */
export function picture(text: string): string {
  const rows = rowsOf(text.trimEnd());
  const [width, height] = [COLUMNS * CHARACTER + 20, rows.length * LINE + 24];
  const lines = rows.map((row, index) => {
    const runs: { colour: string; text: string }[] = [];
    for (const { character, colour } of row) {
      const last = runs.at(-1);
      if (last?.colour === colour) last.text += character;
      else runs.push({ colour, text: character });
    }
    const spans = runs.map(({ colour, text: run }) => `<tspan fill="${colour}">${escape(run)}</tspan>`);
    return `<text x="10" y="${24 + index * LINE}" xml:space="preserve">${spans.join('')}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="DejaVu Sans Mono, monospace" font-size="12">
<rect width="100%" height="100%" rx="6" fill="#0d1117"/>
${lines.join('\n')}
</svg>
`;
}
