/**
 * The text format of OpenMetrics 1.0, limited to what the older format of Prometheus (0.0.4) also has, because
 * node_exporter reads that one.
 */

/** Label names and their values. */
type Labels = Readonly<Record<string, string>>;

/** A gauge with its samples. Only gauges are used: `info` and counters are written differently in the two formats. */
export interface Gauge {
  /** Ends in the unit, if there is one. */
  readonly name: string;
  readonly help: string;
  /** A base unit of Prometheus. Without one the value is a count, or 0 or 1. */
  readonly unit?: 'seconds' | 'bytes';
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly labels?: Labels;
  readonly value: number | bigint;
}

/** Whole lines that end with `# EOF`. A gauge without samples is left out. */
export function openMetricsText(gauges: readonly Gauge[]): string {
  const lines = gauges.filter(({ samples }) => samples.length > 0).flatMap(linesOf);
  return [...lines, '# EOF', ''].join('\n');
}

function linesOf({ name, help, unit, samples }: Gauge): string[] {
  if (unit !== undefined && !name.endsWith(`_${unit}`)) throw new Error(`${name} does not end in ${unit}`);
  return [
    `# HELP ${name} ${escape(help)}`,
    `# TYPE ${name} gauge`,
    ...(unit === undefined ? [] : [`# UNIT ${name} ${unit}`]),
    ...samples.map(({ labels, value }) => `${name}${labelText(labels ?? {})} ${value.toString()}`),
  ];
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escape(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
