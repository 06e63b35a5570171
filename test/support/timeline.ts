import { marginMsOf } from '../../src/config/timing.ts';
import { WATCHDOG_GRACE_MS } from '../../src/lock/watchdog.ts';
import { escapeText, svg } from './svg.ts';

/** The defaults of the configuration, in ms. */
const TTL_MS = 9_000;
const REFRESH_MS = 2_000;

const LEFT = 130;
const SECOND = 56;
const END_S = 12;
const TOP = 60;
const ROW = 62;
const BAR = 22;
const WIDTH = LEFT + SECOND * END_S + 30;

const HELD = '#1f77b4';
const FREE = '#c7c7c7';
const NEXT = '#2ca02c';

/** One stretch of time of a row, in ms from the last renewal that was proven. */
interface Bar {
  readonly fromMs: number;
  readonly toMs: number;
  readonly fill: string;
  readonly text: string;
}

interface Row {
  readonly title: string;
  readonly bars: readonly Bar[];
  /** Instants that are named below the bars, those of one row far enough from each other. */
  readonly marks: readonly { readonly atMs: number; readonly text: string }[];
}

const x = (ms: number): string => (LEFT + (ms / 1_000) * SECOND).toFixed(1);

function drawn({ title, bars, marks }: Row, index: number): string[] {
  const y = TOP + index * ROW;
  return [
    `<text x="${LEFT - 12}" y="${y + 15}" text-anchor="end">${escapeText(title)}</text>`,
    ...bars.flatMap(({ fromMs, toMs, fill, text }) => [
      `<rect x="${x(fromMs)}" y="${y}" width="${(((toMs - fromMs) / 1_000) * SECOND).toFixed(1)}" height="${BAR}" fill="${fill}"/>`,
      `<text x="${x((fromMs + toMs) / 2)}" y="${y + 15}" text-anchor="middle" fill="${fill === FREE ? '#222' : 'white'}">${escapeText(text)}</text>`,
    ]),
    ...marks.flatMap(({ atMs, text }) => [
      `<line x1="${x(atMs)}" x2="${x(atMs)}" y1="${y}" y2="${y + BAR + 6}" stroke="#222"/>`,
      `<text x="${x(atMs)}" y="${y + BAR + 19}" text-anchor="middle" fill="#444" font-size="11">${escapeText(text)}</text>`,
    ]),
  ];
}

const seconds = (ms: number): string => `${ms / 1_000} s`;

/** What happens after the last renewal that was proven, with the defaults: who holds the lock, and what etcd knows. */
export function failoverTimeline(): string {
  const deadlineMs = TTL_MS - marginMsOf(TTL_MS);
  const killMs = deadlineMs + WATCHDOG_GRACE_MS;
  const endMs = END_S * 1_000;
  const lease: Bar = {
    fromMs: 0,
    toMs: TTL_MS,
    fill: '#7f7f7f',
    text: 'the lease: no other node gets the lock',
  };
  const rows: Row[] = [
    {
      title: 'in etcd',
      bars: [lease, { fromMs: TTL_MS, toMs: endMs, fill: NEXT, text: 'free for node 2' }],
      marks: [{ atMs: TTL_MS, text: `${seconds(TTL_MS)}: the lease ends, at the earliest` }],
    },
    {
      title: 'node 1 cut off',
      bars: [
        { fromMs: 0, toMs: deadlineMs, fill: HELD, text: 'holds, and tries all members' },
        { fromMs: deadlineMs, toMs: endMs, fill: FREE, text: 'has given up' },
      ],
      marks: [
        { atMs: REFRESH_MS, text: `${seconds(REFRESH_MS)}: renewal fails` },
        { atMs: deadlineMs, text: `${seconds(deadlineMs)}: deadline, the helper exits` },
      ],
    },
    {
      title: 'helper frozen',
      bars: [
        { fromMs: 0, toMs: killMs, fill: HELD, text: 'holds, and stands still' },
        { fromMs: killMs, toMs: endMs, fill: FREE, text: 'is gone' },
      ],
      marks: [{ atMs: killMs, text: `${seconds(killMs)}: the watchdog kills it` }],
    },
  ];
  const bottom = TOP + rows.length * ROW;
  const axis = Array.from({ length: END_S + 1 }, (_, second) => [
    `<line x1="${x(second * 1_000)}" x2="${x(second * 1_000)}" y1="${TOP - 8}" y2="${bottom - 8}" stroke="#e4e4e4"/>`,
    `<text x="${x(second * 1_000)}" y="${bottom + 8}" text-anchor="middle" fill="#555">${second} s</text>`,
  ]).flat();
  return svg(WIDTH, bottom + 22, [
    '<text x="20" y="22" font-size="15">After the last proven renewal</text>',
    `<text x="20" y="40" fill="#555">lock_ttl ${seconds(TTL_MS)}, refresh ${seconds(REFRESH_MS)}. Time counts from the send of the renewal.</text>`,
    ...axis,
    ...rows.flatMap(drawn),
  ]);
}
