import { escapeText, legend, svg } from './svg.ts';

/** One dot of the chart: a measured value, or undefined for "not in time". */
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

/** The logarithmic axis. */
export interface Axis {
  readonly lowest: number;
  readonly highest: number;
  readonly ticks: readonly number[];
  readonly unit: string;
  /** What stands where a dot is "not in time"; undefined where that does not happen. */
  readonly never?: string;
}

const LEFT = 210;
const PLOT = 560;
const RIGHT = 90;
const TOP = 74;
const LANE = 13;
const ROW_GAP = 14;

/** A chart of dots on a logarithmic axis, one lane per series, one row per thing that was measured. */
export function dotChart(title: string, series: readonly Series[], rows: readonly Row[], axis: Axis): string {
  const { lowest, highest } = axis;
  const x = (value: number): number =>
    LEFT + (Math.log(Math.max(value, lowest) / lowest) / Math.log(highest / lowest)) * PLOT;
  const rowHeight = LANE * series.length + ROW_GAP;
  const width = LEFT + PLOT + RIGHT;
  const bottom = TOP + rowHeight * rows.length;
  const neverX = LEFT + PLOT + RIGHT / 2;
  const parts: string[] = [
    `<text x="${LEFT}" y="22" font-size="15">${escapeText(title)}</text>`,
    ...legend(series, 20, 42),
  ];
  for (const tick of axis.ticks.filter((value) => value < highest)) {
    const at = x(tick).toFixed(1);
    parts.push(`<line x1="${at}" x2="${at}" y1="${TOP - 6}" y2="${bottom}" stroke="#ddd"/>`);
    parts.push(
      `<text x="${at}" y="${bottom + 16}" text-anchor="middle" fill="#555">${tick} ${axis.unit}</text>`,
    );
  }
  if (axis.never !== undefined) {
    parts.push(
      `<text x="${neverX}" y="${bottom + 16}" text-anchor="middle" fill="#555">${escapeText(axis.never)}</text>`,
    );
  }
  for (const [index, row] of rows.entries()) {
    const y = TOP + index * rowHeight;
    parts.push(`<line x1="8" x2="${width - 8}" y1="${y - 7}" y2="${y - 7}" stroke="#bbb"/>`);
    parts.push(
      `<text x="${LEFT - 12}" y="${y + (rowHeight - ROW_GAP) / 2 + 4}" text-anchor="end">${escapeText(row.title)}</text>`,
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
  return svg(width, bottom + 40, parts);
}
