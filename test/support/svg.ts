/** Text as SVG takes it. */
export function escapeText(text: string): string {
  return text.replace(/[&<>]/g, (sign) => `&#${sign.codePointAt(0) ?? 0};`);
}

/** The parts of a drawing on white paper. */
export function svg(width: number, height: number, parts: readonly string[]): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`;
  return [head, '<rect width="100%" height="100%" fill="white"/>', ...parts, '</svg>', ''].join('\n');
}

// About the mean width of a letter, and the height of a line, in the font of `svg`.
const LETTER = 6.6;
const LEGEND_LINE = 18;

/** Dots with names in the colors of the series, in as many lines as fit between `left` and `right`. */
export function legend(
  series: readonly { readonly title: string; readonly colour: string }[],
  left: number,
  right: number,
  y: number,
): { readonly parts: string[]; readonly height: number } {
  const parts: string[] = [];
  let [x, line] = [left, 0];
  for (const { title, colour } of series) {
    const width = 35 + LETTER * title.length;
    if (x > left && x + width > right) [x, line] = [left, line + 1];
    const atY = y + line * LEGEND_LINE;
    parts.push(
      `<circle cx="${(x + 5).toFixed(0)}" cy="${atY}" r="5" fill="${colour}"/>`,
      `<text x="${(x + 15).toFixed(0)}" y="${atY + 4}">${escapeText(title)}</text>`,
    );
    x += width;
  }
  return { parts, height: (line + 1) * LEGEND_LINE };
}
