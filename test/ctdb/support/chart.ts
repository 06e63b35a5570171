/** One dot of the chart: seconds, or undefined for "not in time". */
export type Dot = number | undefined;

export interface Series {
  readonly title: string;
  /** Any colour that SVG knows. */
  readonly colour: string;
}

export interface Row {
  readonly title: string;
  /** By series; undefined where nothing was measured. */
  readonly dots: readonly (readonly Dot[] | undefined)[];
}

const LEFT = 210;
const PLOT = 560;
const RIGHT = 90;
const TOP = 74;
const LANE = 13;
const ROW_GAP = 14;

const TICKS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50];

const escape = (text: string): string => text.replace(/[&<>]/g, (sign) => `&#${sign.codePointAt(0) ?? 0};`);

/** A chart of dots on a logarithmic axis of seconds, one lane per series, one row per event. */
export function dotChart(
  title: string,
  series: readonly Series[],
  rows: readonly Row[],
  limitS: number,
): string {
  const lowest = 0.05;
  const x = (seconds: number): number =>
    LEFT + (Math.log(Math.max(seconds, lowest) / lowest) / Math.log(limitS / lowest)) * PLOT;
  const rowHeight = LANE * series.length + ROW_GAP;
  const height = TOP + rowHeight * rows.length + 40;
  const width = LEFT + PLOT + RIGHT;
  const bottom = TOP + rowHeight * rows.length;
  const neverX = LEFT + PLOT + RIGHT / 2;
  const parts: string[] = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${LEFT}" y="22" font-size="15">${escape(title)}</text>`,
  ];
  let legendX = LEFT;
  for (const { title: name, colour } of series) {
    parts.push(`<circle cx="${legendX + 5}" cy="42" r="5" fill="${colour}"/>`);
    parts.push(`<text x="${legendX + 15}" y="46">${escape(name)}</text>`);
    legendX += 35 + 7 * name.length;
  }
  for (const tick of TICKS_S.filter((seconds) => seconds < limitS)) {
    const at = x(tick).toFixed(1);
    parts.push(`<line x1="${at}" x2="${at}" y1="${TOP - 6}" y2="${bottom}" stroke="#ddd"/>`);
    parts.push(`<text x="${at}" y="${bottom + 16}" text-anchor="middle" fill="#555">${tick} s</text>`);
  }
  parts.push(
    `<text x="${neverX}" y="${bottom + 16}" text-anchor="middle" fill="#555">none in ${limitS} s</text>`,
  );
  for (const [index, row] of rows.entries()) {
    const y = TOP + index * rowHeight;
    parts.push(`<line x1="8" x2="${width - 8}" y1="${y - 7}" y2="${y - 7}" stroke="#bbb"/>`);
    parts.push(
      `<text x="${LEFT - 12}" y="${y + (rowHeight - ROW_GAP) / 2 + 4}" text-anchor="end">${escape(row.title)}</text>`,
    );
    for (const [lane, dots] of row.dots.entries()) {
      const laneY = y + lane * LANE + LANE / 2;
      const colour = series[lane]?.colour ?? 'black';
      if (dots === undefined) {
        parts.push(`<text x="${LEFT}" y="${laneY + 4}" fill="#999" font-size="10">not measured</text>`);
      }
      for (const [nth, dot] of (dots ?? []).entries()) {
        parts.push(
          dot === undefined
            ? `<circle cx="${neverX - 20 + nth * 10}" cy="${laneY}" r="4" fill="none" stroke="${colour}" stroke-width="1.5"/>`
            : `<circle cx="${x(dot).toFixed(1)}" cy="${laneY}" r="4" fill="${colour}" fill-opacity="0.6"/>`,
        );
      }
    }
  }
  parts.push('</svg>');
  return `${parts.join('\n')}\n`;
}
