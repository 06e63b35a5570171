import { paint, printable, type Output, type Style } from '../output.ts';

/** How one thing that was looked at turned out. */
export type Verdict = 'ok' | 'note' | 'warning' | 'problem';

/** One line of the report. */
export interface Finding {
  readonly verdict: Verdict;
  /** What it is about, such as `tls`, `permission`, `ctdb`. */
  readonly area: string;
  /** Names the message for ever, in JSON and in docs/failure-guide.md; its words and numbers may change. */
  readonly id: string;
  /** The endpoint, or ''. */
  readonly endpoint: string;
  /** What was found, one line without an end. */
  readonly text: string;
  /** What to do about it; never without one in a warning or a problem. */
  readonly remedy: string | undefined;
}

const STYLES: Readonly<Record<Verdict, Style>> = {
  ok: 'green',
  note: 'dim',
  warning: 'yellow',
  problem: 'red',
};

const VERDICT_WIDTH = 'problem'.length;
const AREA_WIDTH = 'permission'.length;

/**
 * Collects findings and, unless `quiet`, writes each as it comes. An identifier begins with its area: `tls-days` is
 * about `tls`.
 */
export class CheckReport {
  readonly #out: Output;
  readonly #err: Output;
  readonly #quiet: boolean;
  readonly #findings: Finding[] = [];
  #endpointWidth = 0;
  #isProgressShown = false;

  constructor(out: Output, err: Output, quiet: boolean) {
    this.#out = out;
    this.#err = err;
    this.#quiet = quiet;
  }

  get findings(): readonly Finding[] {
    return this.#findings;
  }

  /** The endpoints that will be named, so that the columns fit from the first line on. */
  expect(endpoints: readonly string[]): void {
    this.#endpointWidth = Math.max(0, ...endpoints.map((endpoint) => endpoint.length));
  }

  ok(id: string, text: string, endpoint = ''): void {
    this.add({ verdict: 'ok', area: areaOf(id), id, endpoint, text, remedy: undefined });
  }

  /** Something worth knowing that asks for nothing. */
  note(id: string, text: string, endpoint = ''): void {
    this.add({ verdict: 'note', area: areaOf(id), id, endpoint, text, remedy: undefined });
  }

  /** The lock works, and something should be seen to. */
  warning(id: string, text: string, remedy: string, endpoint = ''): void {
    this.add({ verdict: 'warning', area: areaOf(id), id, endpoint, text, remedy });
  }

  /** The lock would not work, or not on every node: to be mended before CTDB starts. */
  problem(id: string, text: string, remedy: string, endpoint = ''): void {
    this.add({ verdict: 'problem', area: areaOf(id), id, endpoint, text, remedy });
  }

  /** One whose area its identifier does not tell: a failure in the words that the helper's log has for it. */
  add(finding: Finding): void {
    this.#findings.push(finding);
    if (this.#quiet) return;
    this.progress('');
    this.#out.write(`${this.#line(finding)}\n`);
  }

  /** Says on a terminal what is being waited for; '' for nothing. */
  progress(text: string): void {
    if (this.#quiet || !this.#err.isTerminal) return;
    if (text === '' && !this.#isProgressShown) return;
    this.#isProgressShown = text !== '';
    this.#err.write(`\r\u001b[K${text === '' ? '' : paint(this.#err, 'dim', `${text} ...`)}`);
  }

  count(verdict: Verdict): number {
    return this.#findings.filter((finding) => finding.verdict === verdict).length;
  }

  /** One sentence about the whole. */
  summary(): string {
    const of = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
    const [problems, warnings] = [this.count('problem'), this.count('warning')];
    const found = [
      ...(problems > 0 ? [of(problems, 'problem')] : []),
      ...(warnings > 0 ? [of(warnings, 'warning')] : []),
    ].join(', ');
    if (problems > 0) return `${paint(this.#out, 'red', 'Not ready')}: ${found}`;
    if (warnings > 0) return `${paint(this.#out, 'yellow', 'The lock works')}, with ${found}`;
    return paint(this.#out, 'green', 'All is well');
  }

  #line({ verdict, area, id, endpoint, text, remedy }: Finding): string {
    const where = endpoint === '' ? '' : `${endpoint.padEnd(this.#endpointWidth)}  `;
    const mark = paint(this.#out, STYLES[verdict], verdict.padEnd(VERDICT_WIDTH));
    // What asks for something has its entry in the failure guide under this name.
    const advice = remedy === undefined ? '' : `; ${printable(remedy)} ${paint(this.#out, 'dim', `[${id}]`)}`;
    return `${mark}  ${area.padEnd(AREA_WIDTH)}  ${where}${printable(text)}${advice}`;
  }
}

function areaOf(id: string): string {
  return id.split('-', 1)[0] ?? id;
}

/** What the findings come to: 0 all is well, 1 there are warnings, 2 not ready. */
export function statusOf(report: Pick<CheckReport, 'count'>): 0 | 1 | 2 {
  if (report.count('problem') > 0) return 2;
  return report.count('warning') > 0 ? 1 : 0;
}
