import { fillLines, paint, printable, type Output, type Style } from '../output.ts';

/** The result for one thing that was checked. */
export type Verdict = 'ok' | 'note' | 'warning' | 'problem';

/** One line of the report. */
export interface Finding {
  readonly verdict: Verdict;
  /** What the line is about, such as `tls`, `permission`, `ctdb`. */
  readonly area: string;
  /** The identifier in JSON and in docs/failure-guide.md. It never changes; text and numbers may. */
  readonly id: string;
  /** The endpoint; empty when the line is not about one. */
  readonly endpoint: string;
  /** What was found: one line without a final period. */
  readonly text: string;
  /** What to do. Always set for a warning and a problem. */
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

// A narrower column of text is left to the terminal to break.
const NARROWEST_TEXT = 30;

// A command, or the line for ctdb.conf, is not broken: it is there to be copied.
const UNBROKEN = /(?:etcdctl|cluster lock =) [^,;)]*[^,;) ][,;)]*|\S+/g;

/**
 * Collects findings and, unless `quiet`, writes each at once. An identifier begins with its area: `tls-days` is about
 * `tls`.
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

  /** Announces the endpoints, so that the columns have the right width from the first line. */
  expect(endpoints: readonly string[]): void {
    this.#endpointWidth = Math.max(0, ...endpoints.map((endpoint) => endpoint.length));
  }

  ok(id: string, text: string, endpoint = ''): void {
    this.add({ verdict: 'ok', area: areaOf(id), id, endpoint, text, remedy: undefined });
  }

  /** Adds a fact that needs no action. */
  note(id: string, text: string, endpoint = ''): void {
    this.add({ verdict: 'note', area: areaOf(id), id, endpoint, text, remedy: undefined });
  }

  /** The lock works, but something needs attention. */
  warning(id: string, text: string, remedy: string, endpoint = ''): void {
    this.add({ verdict: 'warning', area: areaOf(id), id, endpoint, text, remedy });
  }

  /** The lock would not work, or not on every node. It must be fixed before CTDB starts. */
  problem(id: string, text: string, remedy: string, endpoint = ''): void {
    this.add({ verdict: 'problem', area: areaOf(id), id, endpoint, text, remedy });
  }

  /** Adds a finding whose identifier does not begin with its area: a failure with the text of the helper's log. */
  add(finding: Finding): void {
    this.#findings.push(finding);
    if (this.#quiet) return;
    this.progress('');
    this.#out.write(`${this.#line(finding)}\n`);
  }

  /** Shows on a terminal what `check` waits for; '' removes the line. */
  progress(text: string): void {
    if (this.#quiet || !this.#err.isTerminal) return;
    if (text === '' && !this.#isProgressShown) return;
    this.#isProgressShown = text !== '';
    this.#err.write(`\r\u001b[K${text === '' ? '' : paint(this.#err, 'dim', `${text} ...`)}`);
  }

  count(verdict: Verdict): number {
    return this.#findings.filter((finding) => finding.verdict === verdict).length;
  }

  /** One sentence that sums up all findings. */
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
    const before = `${area.padEnd(AREA_WIDTH)}  ${where}`;
    const said = printable(text);
    const told = remedy === undefined ? said : `${said}; ${printable(remedy)}`;
    // A line with a remedy shows its identifier, under which the failure guide has an entry.
    const tag = remedy === undefined ? '' : `[${id}]`;
    const indent = VERDICT_WIDTH + 2 + before.length;
    const lines = this.#linesOf(told, tag, indent).join(`\n${' '.repeat(indent)}`);
    const shown = lines.slice(0, lines.length - tag.length);
    return `${mark}  ${before}${shown}${tag === '' ? '' : paint(this.#out, 'dim', tag)}`;
  }

  /** On a terminal, lines that fit beside an indent; elsewhere one line, for programs that read it. */
  #linesOf(text: string, tag: string, indent: number): string[] {
    const { columns = Infinity } = this.#out;
    const whole = tag === '' ? text : `${text} ${tag}`;
    if (whole.length <= columns - indent || columns - indent < NARROWEST_TEXT) return [whole];
    const words = text.match(UNBROKEN) ?? [];
    return fillLines(tag === '' ? words : [...words, tag], columns - indent);
  }
}

function areaOf(id: string): string {
  return id.split('-', 1)[0] ?? id;
}

/** The exit status for the findings: 0 all is well, 1 warnings, 2 not ready. */
export function statusOf(report: Pick<CheckReport, 'count'>): 0 | 1 | 2 {
  if (report.count('problem') > 0) return 2;
  return report.count('warning') > 0 ? 1 : 0;
}
