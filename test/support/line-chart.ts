import { escapeText, legend, svg } from './svg.ts';

export interface Line {
  readonly title: string;
  readonly colour: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** One axis; `ticks` also say where it ends. */
export interface LineAxis {
  readonly title: string;
  readonly ticks: readonly number[];
  readonly isLogarithmic?: boolean;
}

const LEFT = 70;
const PLOT_WIDTH = 640;
const TOP = 64;
const PLOT_HEIGHT = 260;

/** Where a value stands between the first and the last tick, from 0 to 1. */
function place({ ticks, isLogarithmic = false }: LineAxis, value: number): number {
  const scale = (at: number): number => (isLogarithmic ? Math.log(at) : at);
  const [first, last] = [scale(ticks[0] ?? 0), scale(ticks.at(-1) ?? 1)];
  return (scale(value) - first) / (last - first);
}

/** Lines over one pair of axes. */
export function lineChart(title: string, lines: readonly Line[], xAxis: LineAxis, yAxis: LineAxis): string {
  const x = (value: number): string => (LEFT + place(xAxis, value) * PLOT_WIDTH).toFixed(1);
  const y = (value: number): string => (TOP + (1 - place(yAxis, value)) * PLOT_HEIGHT).toFixed(1);
  const bottom = TOP + PLOT_HEIGHT;
  const parts = [
    `<text x="${LEFT}" y="22" font-size="15">${escapeText(title)}</text>`,
    ...legend(lines, LEFT, LEFT + PLOT_WIDTH, 42).parts,
    ...xAxis.ticks.flatMap((tick) => [
      `<line x1="${x(tick)}" x2="${x(tick)}" y1="${TOP}" y2="${bottom}" stroke="#eee"/>`,
      `<text x="${x(tick)}" y="${bottom + 16}" text-anchor="middle" fill="#555">${tick}</text>`,
    ]),
    ...yAxis.ticks.flatMap((tick) => [
      `<line x1="${LEFT}" x2="${LEFT + PLOT_WIDTH}" y1="${y(tick)}" y2="${y(tick)}" stroke="#ddd"/>`,
      `<text x="${LEFT - 6}" y="${y(tick)}" text-anchor="end" dominant-baseline="middle" fill="#555">${tick}</text>`,
    ]),
    `<text x="${LEFT + PLOT_WIDTH / 2}" y="${bottom + 34}" text-anchor="middle">${escapeText(xAxis.title)}</text>`,
    `<text transform="translate(18 ${TOP + PLOT_HEIGHT / 2}) rotate(-90)" text-anchor="middle">${escapeText(yAxis.title)}</text>`,
  ];
  for (const { colour, points } of lines) {
    const path = points.map((point) => `${x(point.x)},${y(point.y)}`).join(' ');
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
  }
  return svg(LEFT + PLOT_WIDTH + 30, bottom + 46, parts);
}
