import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dotChart } from '../support/dot-chart.ts';
import { lineChart } from '../support/line-chart.ts';
import type { Results } from './results.ts';
import { addRun } from './runs.ts';
import { markdown, megabytesOf, runTable } from './tables.ts';
import type { Verdict } from './targets.ts';

/** Puts `text` between the marks of section `name` in a page, which stays as it is otherwise. */
export function replaceSection(file: string, name: string, text: string): void {
  const [start, end] = [`<!-- ${name}: written by the benchmark -->`, `<!-- end of ${name} -->`];
  let page = existsSync(file) ? readFileSync(file, 'utf8') : '';
  // The page of a run that is not published has nothing but sections.
  if (!page.includes(start)) page += `${start}\n${end}\n`;
  const [from, to] = [page.indexOf(start), page.indexOf(end)];
  if (to < from) throw new Error(`${file} has no place for ${name}`);
  writeFileSync(file, `${page.slice(0, from + start.length)}\n\n${text.trim()}\n\n${page.slice(to)}`);
}

export function startChart({ contestants, rounds }: Results): string {
  return dotChart(
    `Milliseconds, each of ${rounds} rounds`,
    contestants,
    [
      { title: 'exec to byte, free', dots: contestants.map(({ start }) => start.freeMs) },
      {
        title: 'exec to byte, held',
        dots: contestants.map(({ start }) => (start.contendedMs.length > 0 ? start.contendedMs : undefined)),
      },
      { title: 'SIGTERM to gone', dots: contestants.map(({ start }) => start.goneMs) },
    ],
    { lowest: 0.5, highest: 2_000, ticks: [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000], unit: 'ms' },
  );
}

export function growthChart({ growth }: Results): string {
  // The last look comes a moment after the last whole minute.
  const endS = Math.max(1, Math.round((growth.memory.at(-1)?.atS ?? 60) / 60)) * 60;
  const minutes = (atS: number): number => Math.min(atS, endS) / 60;
  const highest = Math.max(...growth.memory.map(({ rssKb }) => megabytesOf(rssKb)));
  return lineChart(
    `Memory of a holder that renews every ${growth.refreshS} s, MB`,
    [
      {
        title: 'RSS',
        colour: '#1f77b4',
        points: growth.memory.map(({ atS, rssKb }) => ({ x: minutes(atS), y: megabytesOf(rssKb) })),
      },
      {
        title: 'Private_Dirty',
        colour: '#ff7f0e',
        points: growth.memory.map(({ atS, privateDirtyKb }) => ({
          x: minutes(atS),
          y: megabytesOf(privateDirtyKb),
        })),
      },
      {
        title: 'live objects',
        colour: '#2ca02c',
        points: growth.heap.map((one) => ({
          x: minutes(one.atS),
          y: megabytesOf(one.heapKb + one.externalKb),
        })),
      },
    ],
    { title: 'minutes', ticks: Array.from({ length: endS / 60 + 1 }, (_, minute) => minute) },
    { title: 'MB', ticks: Array.from({ length: Math.ceil(highest / 10) + 1 }, (_, ten) => ten * 10) },
  );
}

/** Writes tables and charts of a run; one that `isNew` joins the runs of before. */
export function publish(
  results: Results,
  verdicts: readonly Verdict[],
  directory: string,
  isNew: boolean,
): void {
  writeFileSync(join(directory, 'benchmarks.json'), `${JSON.stringify(results)}\n`);
  writeFileSync(join(directory, 'benchmarks-start.svg'), startChart(results));
  writeFileSync(join(directory, 'benchmarks-growth.svg'), growthChart(results));
  const runs = addRun(join(directory, 'benchmark-runs.json'), isNew ? { results, verdicts } : undefined);
  const page = join(directory, 'benchmarks.md');
  replaceSection(page, 'runs', runTable(runs));
  replaceSection(page, 'comparison', markdown(results, verdicts));
}
