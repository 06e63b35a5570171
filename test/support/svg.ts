/** Text as SVG takes it. */
export function escapeText(text: string): string {
  return text.replace(/[&<>]/g, (sign) => `&#${sign.codePointAt(0) ?? 0};`);
}

/** The parts of a drawing on white paper. */
export function svg(width: number, height: number, parts: readonly string[]): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`;
  return [head, '<rect width="100%" height="100%" fill="white"/>', ...parts, '</svg>', ''].join('\n');
}

/** Coloured dots with names, in one line from `left` on. */
export function legend(
  series: readonly { readonly title: string; readonly colour: string }[],
  left: number,
  y: number,
): string[] {
  let x = left;
  return series.flatMap(({ title, colour }) => {
    const at = x;
    x += 35 + 6.6 * title.length;
    return [
      `<circle cx="${at + 5}" cy="${y}" r="5" fill="${colour}"/>`,
      `<text x="${(at + 15).toFixed(0)}" y="${y + 4}">${escapeText(title)}</text>`,
    ];
  });
}
