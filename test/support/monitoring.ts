import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawn } from 'node:child_process';
import { runChecked, type Finished } from './processes.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const UNPACKED = join(CHECKOUT, '.cache/prometheus/usr');

/** The alerts that the packages bring. */
export const ALERTS = join(CHECKOUT, 'packaging/monitoring/ctdb-etcd-lock.rules.yml');

/** A program of Debian's prometheus or prometheus-node-exporter, which test/setup.sh has unpacked. */
export function prometheusProgram(name: 'promtool' | 'prometheus-node-exporter'): string {
  return join(UNPACKED, 'bin', name);
}

/** Runs `promtool ARGS` with `input` as its standard input. */
export async function promtool(args: readonly string[], input = ''): Promise<Finished> {
  const child = spawn(prometheusProgram('promtool'), [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdin.end(input);
  return { status: await closed, signal: null, ...said };
}

const READER = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = text_string_to_metric_families(sys.stdin.read())
json.dump([[f.name, f.type, f.unit, [[s.name, s.labels, s.value] for s in f.samples]] for f in families], sys.stdout)
`;

/** One family of metrics, as Prometheus' own reader of OpenMetrics understands it. */
export interface Family {
  readonly type: string;
  readonly unit: string;
  readonly samples: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

/** Reads a text of OpenMetrics by the rules of its reference reader; rejects when the text breaks one. */
export async function readOpenMetrics(text: string): Promise<ReadonlyMap<string, Family>> {
  const json = await runChecked(
    'python3',
    ['-c', `import io, sys\nsys.stdin = io.StringIO(sys.argv[1])\n${READER}`, text],
    {
      env: { ...process.env, PYTHONPATH: join(UNPACKED, 'lib/python3/dist-packages') },
    },
  );
  const families = JSON.parse(json) as [string, string, string, [string, Record<string, string>, number][]][];
  return new Map(
    families.map(([name, type, unit, samples]) => [
      name,
      { type, unit, samples: samples.map(([, labels, value]) => ({ labels, value })) },
    ]),
  );
}
