import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { spawnTied } from './processes.ts';
import { within } from './wait.ts';

const PARENT_PROGRAM = fileURLToPath(new URL('./mutex-parent.py', import.meta.url));
const HELPER_PROGRAM = fileURLToPath(new URL('../../dist/ctdb_etcd_lock', import.meta.url));

/** The packed binary, which is what these tests are about: never the TypeScript. */
export function helperProgram(): string {
  if (!existsSync(HELPER_PROGRAM) || statSync(HELPER_PROGRAM).size < 1_000_000) {
    throw new Error(`Cannot find the packed binary ${HELPER_PROGRAM}: run npm run build first`);
  }
  return HELPER_PROGRAM;
}

/** What ctdbd gives its helpers: its own environment, which systemd made, and three variables more. */
export function ctdbEnvironment(ctdbBase: string): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    CTDB_BASE: ctdbBase,
    CTDB_LOGGING: 'syslog:nonblocking',
    CTDB_DEBUGLEVEL: '2',
  };
}

/** How one helper is run; see test/support/mutex-parent.py for what each does. */
export interface HelperOptions {
  /** The words after the program's name. */
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Instead of the packed binary. */
  readonly program?: string;
  readonly stderr?: 'pipe' | 'full' | 'closed';
  /** False: no SIGTERM after a byte other than 0. */
  readonly autoTerm?: boolean;
  readonly closeAnswer?: boolean;
  readonly mdwe?: boolean;
  readonly termAfterMs?: number;
  readonly root?: string;
  readonly lookedAt?: boolean;
  /** True: the helper's parent is a process of its own, which `Helper.killParent` kills. */
  readonly between?: boolean;
}

/** How a helper ended: with an exit status or by a signal. */
export interface HelperExit {
  readonly status: number | undefined;
  readonly signal: string | undefined;
  /** On the machine's monotonic clock, as all `…AtMs` here. */
  readonly atMs: number;
}

interface ParentEvent {
  readonly event: 'started' | 'byte' | 'eof' | 'stderr' | 'signalled' | 'exit';
  readonly id: string;
  readonly pid: number;
  readonly answerPipe: string;
  readonly leaked: readonly string[];
  readonly byte: string;
  readonly text: string;
  readonly status?: number;
  readonly signal?: string;
  readonly atMs: number;
  readonly waitedMs?: number;
}

/** One run of the helper under a `MutexParent`. */
export class Helper {
  readonly id: string;
  readonly pid: number;
  readonly startedAtMs: number;
  /** The pipe that is its stdout, as /proc shows it: `pipe:[N]`. */
  readonly answerPipe: string;
  /** Descriptors above 2 that leaked into it, as /proc shows them. The first is the other end of its stderr. */
  readonly leaked: readonly string[];
  /** Everything it wrote on stdout so far. */
  bytes = '';
  /** When the first byte came; undefined before. */
  answeredAtMs: number | undefined;
  /** For how long, until then, it was ready to run and no processor was free for it. */
  waitedMs = 0;
  /** When its stdout ended; undefined before. */
  endOfFileAtMs: number | undefined;
  /** When the parent last sent it a signal; undefined before. */
  signalledAtMs: number | undefined;
  /** Everything it wrote on stderr so far. */
  stderr = '';
  exit: HelperExit | undefined;
  readonly #changed = new EventEmitter();
  readonly #signal: (number: number) => void;
  readonly #killParent: () => void;

  constructor(started: ParentEvent, signal: (number: number) => void, killParent: () => void) {
    this.id = started.id;
    this.pid = started.pid;
    this.startedAtMs = started.atMs;
    this.answerPipe = started.answerPipe;
    this.leaked = started.leaked;
    this.#signal = signal;
    this.#killParent = killParent;
    this.#changed.setMaxListeners(0);
  }

  /** From the start to the answer, without the time in which the machine had no processor for it; infinite before. */
  get tookMs(): number {
    return (this.answeredAtMs ?? Infinity) - this.startedAtMs - this.waitedMs;
  }

  /** Takes in one event of the parent. */
  accept(event: ParentEvent): void {
    if (event.event === 'byte') {
      this.bytes += event.byte;
      if (this.answeredAtMs === undefined) this.waitedMs = event.waitedMs ?? 0;
      this.answeredAtMs ??= event.atMs;
    } else if (event.event === 'eof') this.endOfFileAtMs = event.atMs;
    else if (event.event === 'signalled') this.signalledAtMs = event.atMs;
    else if (event.event === 'stderr') this.stderr += event.text;
    else if (event.event === 'exit') {
      this.exit = { status: event.status, signal: event.signal, atMs: event.atMs };
    }
    this.#changed.emit('change');
  }

  /** Resolves to the first byte, or to '' when stdout ends without one. CTDB itself would wait for 120 s. */
  async answer(withinMs = 10_000): Promise<string> {
    await this.until('the answer', () => this.bytes !== '' || this.endOfFileAtMs !== undefined, withinMs);
    return this.bytes.slice(0, 1);
  }

  /** Resolves when the process is gone and everything that it wrote was read. */
  async exited(withinMs = 10_000): Promise<HelperExit> {
    await this.until('the exit', () => this.exit !== undefined, withinMs);
    return this.exit as HelperExit;
  }

  /** Resolves at the end of stdout, which is what CTDB takes for a lost lock. */
  async endOfFile(withinMs = 10_000): Promise<number> {
    await this.until('the end of stdout', () => this.endOfFileAtMs !== undefined, withinMs);
    return this.endOfFileAtMs as number;
  }

  /** Resolves when `fact` holds; looked at after each of the helper's events. */
  async until(what: string, fact: () => boolean, withinMs: number): Promise<void> {
    const wait = async (): Promise<void> => {
      while (!fact()) await once(this.#changed, 'change');
    };
    try {
      await within(`${what} of helper ${this.id}`, withinMs, wait());
    } catch (error) {
      const said = `bytes "${this.bytes}", exit ${JSON.stringify(this.exit)}, stderr: ${this.stderr}`;
      throw new Error(`Helper ${this.id}, pid ${this.pid}: ${said}`, { cause: error });
    }
  }

  /** One kill(2) by the parent, SIGTERM unless said otherwise, as CTDB does when it lets the lock go. */
  signal(name: NodeJS.Signals = 'SIGTERM'): void {
    this.#signal(constants.signals[name]);
  }

  /** SIGKILL to the parent of a helper that was run with `between`; what becomes of the helper is still seen. */
  killParent(): void {
    this.#killParent();
  }

  /** SIGTERM, as CTDB lets go, and resolves when the process is gone. */
  async release(withinMs = 10_000): Promise<HelperExit> {
    this.signal('SIGTERM');
    return this.exited(withinMs);
  }

  /** The lines on stderr; fails on one that is not finished. */
  get stderrLines(): string[] {
    if (this.stderr === '') return [];
    if (!this.stderr.endsWith('\n'))
      throw new Error(`Unfinished line on stderr: ${JSON.stringify(this.stderr)}`);
    return this.stderr.slice(0, -1).split('\n');
  }
}

/** A process that runs helpers as ctdbd does, and can be killed as ctdbd can. */
export class MutexParent implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #helpers = new Map<string, Helper>();
  readonly #starting = new Map<string, (helper: Helper) => void>();
  /** Rejects when the parent ends: it will start no helper any more. */
  readonly #end: Promise<never>;
  #count = 0;

  private constructor(process: ChildProcess) {
    this.#process = process;
    this.#end = once(process, 'exit').then(([status, signal]: (number | string | null)[]) => {
      throw new Error(`The mutex parent has ended with ${String(status ?? signal)}, and starts no helper`);
    });
    // Only a run that waits for a helper is interested; a command to a parent that has ended goes nowhere.
    this.#end.catch(() => undefined);
    process.stdin?.on('error', () => undefined);
    if (process.stdout === null) throw new Error('The mutex parent has no stdout');
    createInterface({ input: process.stdout }).on('line', (line) => {
      this.#accept(JSON.parse(line) as ParentEvent);
    });
  }

  /** Starts the parent; `wrap` is a command in front of it, such as `['unshare', '--pid', '--fork', …]`. */
  static start(wrap: readonly string[] = []): MutexParent {
    // `env` only because a command has to come first.
    const args = [...wrap, 'python3', PARENT_PROGRAM];
    return new MutexParent(spawnTied('env', args, { stdio: ['pipe', 'pipe', 'inherit'] }));
  }

  /** The pid of the parent itself, or of the first command that wraps it. */
  get pid(): number {
    const pid = this.#process.pid;
    if (pid === undefined) throw new Error('The mutex parent did not start: is python3 installed?');
    return pid;
  }

  /** Forks and executes one helper; resolves as soon as it was forked. */
  async run(options: HelperOptions): Promise<Helper> {
    const { args = [], env, program = helperProgram(), ...how } = options;
    this.#count += 1;
    const id = `h${this.#count}`;
    const started = new Promise<Helper>((resolve) => this.#starting.set(id, resolve));
    this.#send({ do: 'start', id, argv: [program, ...args], env, ...how });
    return within(`helper ${id} starts`, 30_000, Promise.race([started, this.#end]));
  }

  /** SIGKILL to the parent alone: no signal reaches its helpers, and nothing more is heard of them from here. */
  async kill(): Promise<void> {
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }

  /** Kills the helpers that still run, then the parent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const running = [...this.#helpers.values()].filter((helper) => helper.exit === undefined);
    for (const helper of running) helper.signal('SIGKILL');
    await Promise.all(running.map((helper) => helper.exited()));
    await this.kill();
  }

  #send(command: object): void {
    this.#process.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  #accept(event: ParentEvent): void {
    if (event.event !== 'started') {
      this.#helpers.get(event.id)?.accept(event);
      return;
    }
    const helper = new Helper(
      event,
      (number) => {
        this.#send({ do: 'signal', id: event.id, signal: number });
      },
      () => {
        this.#send({ do: 'killBetween', id: event.id });
      },
    );
    this.#helpers.set(event.id, helper);
    this.#starting.get(event.id)?.(helper);
    this.#starting.delete(event.id);
  }
}

/** The machine's monotonic clock, on the scale of every `…AtMs` of a `Helper`. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
