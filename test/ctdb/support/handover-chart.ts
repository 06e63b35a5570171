import { dotChart } from '../../support/dot-chart.ts';
import type { LeaderEvent } from './events.ts';
import type { Kind, Trial } from './handover-report.ts';

/**
 * Every trial as a dot, for each event and helper.
 *
 * @param limitS after which a trial counts as "none"
 */
export function handOverChart(
  trials: readonly Trial[],
  kinds: readonly Kind[],
  events: readonly Pick<LeaderEvent, 'name' | 'title'>[],
  limitS: number,
): string {
  return dotChart(
    'Seconds from the event to "Took cluster lock", each trial',
    kinds,
    events.map(({ name, title }) => ({
      title,
      dots: kinds.map((kind) => {
        const dots = trials
          .filter((trial) => trial.kind === kind.name && trial.event === name)
          .map(({ tookS }) => tookS);
        return dots.length === 0 ? undefined : dots;
      }),
    })),
    {
      lowest: 0.01,
      highest: limitS,
      ticks: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50],
      unit: 's',
      never: `none in ${limitS} s`,
    },
  );
}
