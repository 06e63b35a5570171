/** Draws the pictures of docs/ anew, from what was measured and from the timing, without measuring anything. */
import { readFileSync, writeFileSync } from 'node:fs';
import { growthChart, startChart } from '../bench/publish.ts';
import type { Results } from '../bench/results.ts';
import { LEADER_EVENTS } from '../ctdb/support/events.ts';
import { handOverChart } from '../ctdb/support/handover-chart.ts';
import { KINDS, readTrials } from '../ctdb/support/handover-report.ts';
import { failoverTimeline } from './timeline.ts';

/** The limit of `npm run bench:ctdb` unless it is given, in seconds. */
const LIMIT_S = 45;

const docs = (name: string): URL => new URL(`../../docs/${name}`, import.meta.url);

const trials = readTrials(docs('handover.csv').pathname);
writeFileSync(docs('handover.svg'), handOverChart(trials, KINDS, LEADER_EVENTS, LIMIT_S));
const results = JSON.parse(readFileSync(docs('benchmarks.json'), 'utf8')) as Results;
writeFileSync(docs('benchmarks-start.svg'), startChart(results));
writeFileSync(docs('benchmarks-growth.svg'), growthChart(results));
writeFileSync(docs('failover.svg'), failoverTimeline());
