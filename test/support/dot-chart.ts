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
const LEGEND_Y = 42;
// About half of a letter in a label of the axis, and the space between two labels.
const HALF_LETTER = 3.4;
const LABEL_GAP = 6;
const LANE = 13;
const ROW_GAP = 14;

/** A chart of dots on a logarithmic axis: one row for each thing that was measured, with a lane for each series that measured it. */
export function dotChart(title: string, series: readonly Series[], rows: readonly Row[], axis: Axis): string {
  const { lowest, highest } = axis;
  const x = (value: number): number =>
    LEFT + (Math.log(Math.max(value, lowest) / lowest) / Math.log(highest / lowest)) * PLOT;
  const width = LEFT + PLOT + RIGHT;
  const neverX = LEFT + PLOT + RIGHT / 2;
  const names = legend(series, 20, width, LEGEND_Y);
  const top = LEGEND_Y + names.height + ROW_GAP;
  const marks: string[] = [];
  let y = top;
  for (const row of rows) {
    const lanes = row.dots.flatMap((dots, index) =>
      dots === undefined ? [] : [{ dots, colour: series[index]?.colour ?? 'black' }],
    );
    marks.push(
      `<line x1="8" x2="${width - 8}" y1="${y - 7}" y2="${y - 7}" stroke="#bbb"/>`,
      `<text x="${LEFT - 12}" y="${y + (LANE * lanes.length) / 2 + 4}" text-anchor="end">${escapeText(row.title)}</text>`,
    );
    for (const [lane, { dots, colour }] of lanes.entries()) {
      const laneY = y + lane * LANE + LANE / 2;
      for (const [nth, dot] of dots.entries()) {
        marks.push(
          dot === undefined
            ? `<circle cx="${neverX - 20 + nth * 10}" cy="${laneY}" r="4" fill="none" stroke="${colour}" stroke-width="1.5"/>`
            : `<circle cx="${x(dot).toFixed(1)}" cy="${laneY}" r="4" fill="${colour}" fill-opacity="0.6"/>`,
        );
      }
    }
    y += LANE * lanes.length + ROW_GAP;
  }
  const bottom = y;
  const label = (at: number, text: string): string =>
    `<text x="${at.toFixed(1)}" y="${bottom + 16}" text-anchor="middle" fill="#555">${escapeText(text)}</text>`;
  const grid: string[] = [];
  let labelledTo = -Infinity;
  for (const tick of axis.ticks.filter((value) => value >= lowest && value < highest)) {
    const at = x(tick);
    grid.push(
      `<line x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${top - 6}" y2="${bottom}" stroke="#ddd"/>`,
    );
    const text = `${tick} ${axis.unit}`;
    const half = HALF_LETTER * text.length;
    if (at - half < labelledTo + LABEL_GAP) continue;
    labelledTo = at + half;
    grid.push(label(at, text));
  }
  if (axis.never !== undefined) grid.push(label(neverX, axis.never));
  const head = `<text x="20" y="22" font-size="15">${escapeText(title)}</text>`;
  return svg(width, bottom + 30, [head, ...names.parts, ...grid, ...marks]);
}
