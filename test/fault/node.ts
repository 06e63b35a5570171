import { EventEmitter, once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ctdbEnvironment, type Helper, monotonicMs, MutexParent } from '../support/mutex-parent.ts';
import { temporaryDirectory } from '../support/processes.ts';
import type { Attempt, Claim, Deed, History } from './history.ts';
import type { Network } from './network.ts';
import { processesBelow } from './node-processes.ts';

// CTDB's `leader timeout`: a node that was told `1` tries again this long after it began to try.
const LEADER_TIMEOUT_MS = 5_000;

// CTDB waits for 120 s; whatever takes longer than this is a mistake that the checker reports.
const ANSWER_LIMIT_MS = 15_000;

const NEVER_MS = 2 ** 31 - 1;

export interface NodeOptions {
  readonly network: Network;
  readonly host: string;
  readonly history: History;
  /** The packed helper. */
  readonly program: string;
  /** Lines of the helper's configuration file. */
  readonly settings: Readonly<Record<string, string | number>>;
  readonly env: Readonly<Record<string, string>>;
  /** Shell commands run as root in the node's own mount namespace before anything else. */
  readonly prepare: string;
  /** Told when a claim ends and somebody is there to see it: CTDB then elects on all nodes at once. */
  readonly onClaimEnd: () => void;
}

/** One contender: a host with its own network, pid, mount and UTS namespace, on which helpers are run as by CTDB. */
export class CtdbNode implements AsyncDisposable {
  readonly host: string;
  /** The helper that claims the lock, and its claim. */
  held: { readonly helper: Helper; readonly claim: Claim } | undefined;
  readonly #options: NodeOptions;
  readonly #env: Record<string, string>;
  readonly #parent: MutexParent;
  readonly #wakeUp = new EventEmitter();
  #contending = false;
  #leaving = false;
  #isDead = false;
  #loop: Promise<void> = Promise.resolve();
  readonly #running = new Set<Helper>();

  private constructor(options: NodeOptions, base: string) {
    this.#options = options;
    this.host = options.host;
    this.#env = { ...ctdbEnvironment(base), ...options.env };
    this.#parent = MutexParent.start([
      ...options.network.on(options.host),
      ...['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', '--uts'],
      ...['sh', '-ec', `hostname ${options.host}\n${options.prepare}\nexec "$@"`, 'sh'],
      // As ctdbd itself, so that what it sees is timed well on a busy machine; its helpers start as normal processes.
      ...['chrt', '-R', '-f', '1'],
    ]);
  }

  static async make(options: NodeOptions): Promise<CtdbNode> {
    const base = await temporaryDirectory(`fault-${options.host}`);
    const lines = Object.entries(options.settings).map(([key, value]) => `${key} = ${value}\n`);
    await writeFile(join(base, 'etcd'), lines.join(''));
    return new CtdbNode(options, base);
  }

  /** Wants the lock from now on, as recoverd does on a node that sees no leader. */
  contend(): void {
    this.#isDead = false;
    if (this.#contending) return;
    this.#contending = true;
    this.#loop = this.#contend();
  }

  /** Does not try again; what is held stays held. */
  stopContending(): void {
    this.#contending = false;
    this.#wakeUp.emit('election');
  }

  /** An election: whoever waits tries at once. */
  elect(): void {
    this.#wakeUp.emit('election');
  }

  /** Runs the helper once as recoverd does, and resolves when it has answered; a claim begins with `0`. */
  async take(): Promise<Attempt> {
    const { helper, attempt } = await this.#run('take');
    if (attempt.answer === '0') this.#claims(helper, attempt);
    return attempt;
  }

  /** Runs a second helper beside the holder, as ctdbd does at the end of each recovery. */
  async check(): Promise<Attempt> {
    const { helper, attempt } = await this.#run('check');
    if (attempt.answer === '0') {
      // The checker sees it as a second claim.
      this.#claims(helper, attempt);
      this.#dismiss(helper);
    }
    return attempt;
  }

  /** Lets the lock go as CTDB does: one SIGTERM. Resolves at end of file. */
  async release(): Promise<void> {
    const { held } = this;
    if (held === undefined) return;
    this.#do('terminated');
    held.helper.signal('SIGTERM');
    await held.helper.endOfFile();
  }

  /** A signal to the helper that holds the lock. */
  signalHolder(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    if (signal !== 'SIGCONT') this.#do(signal === 'SIGKILL' ? 'killed' : 'stopped');
    this.held?.helper.signal(signal);
  }

  /** SIGSTOP that is so short that the lock must be kept. */
  async freezeHolder(forMs: number): Promise<void> {
    const helper = this.held?.helper;
    helper?.signal('SIGSTOP');
    await delay(forMs);
    helper?.signal('SIGCONT');
  }

  /** SIGKILL to the process that started the holding helper. */
  killParentOfHolder(): void {
    this.#do('parent killed');
    this.held?.helper.killParent();
  }

  /** Everything on the node dies at once: the helpers and what started them. */
  die(): void {
    this.#isDead = true;
    this.stopContending();
    if (this.held !== undefined) this.#do('killed');
    for (const helper of this.#running) this.#slay(helper);
  }

  /** The lock is about to be taken from the holder by an administrator. */
  robbed(): void {
    this.#do('key taken');
  }

  /** A file of the node's mount namespace, as it is reached from outside. */
  path(file: string): string {
    return `/proc/${this.#parent.pid}/root${file}`;
  }

  /** The pids, seen from outside, of the watchdog that the holding helper has started. */
  watchdogs(): number[] {
    const pid = this.held?.helper.pid;
    return processesBelow(this.#parent.pid)
      .filter((process) => process.parent === pid)
      .map((process) => process.hostPid);
  }

  /** What runs on the node beside the driver itself, for the search for leftovers. */
  leftovers(): string[] {
    return processesBelow(this.#parent.pid)
      .filter((process) => process.pid !== 1 && process.state !== 'Z')
      .map((process) => `${this.host}: process ${process.name}`);
  }

  /** SIGTERM to all helpers, and no more attempts; resolves when they are gone, or rejects after `withinMs`. */
  async leave(withinMs = 6_000): Promise<void> {
    this.#leaving = true;
    this.stopContending();
    const helpers = [...this.#running];
    for (const helper of helpers) this.#dismiss(helper);
    await Promise.all(helpers.map((helper) => helper.exited(withinMs)));
    await this.#loop;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopContending();
    await this.#parent[Symbol.asyncDispose]();
  }

  /** SIGTERM to a helper in whatever state. */
  #dismiss(helper: Helper): void {
    this.#options.history.deadHelpers.add(this.#nameOf(helper));
    if (this.held?.helper === helper) this.#do('terminated');
    helper.signal('SIGTERM');
  }

  #slay(helper: Helper): void {
    this.#options.history.deadHelpers.add(this.#nameOf(helper));
    helper.killParent();
    helper.signal('SIGKILL');
  }

  #do(deed: Deed): void {
    const claim = this.held?.claim;
    if (claim === undefined || claim.toMs !== undefined) return;
    claim.deed = deed;
    claim.deedAtMs = monotonicMs();
  }

  async #contend(): Promise<void> {
    while (this.#contending) {
      const attempt = await this.take().catch((error: unknown) => {
        this.#options.history.note(`${this.host} cannot start a helper: ${String(error)}`);
      });
      if (attempt === undefined) {
        await delay(1_000);
        continue;
      }
      if (attempt.answer === '0') {
        await this.held?.helper.endOfFile(NEVER_MS);
        continue; // the election that follows is ours too
      }
      const over = new AbortController();
      await Promise.race([
        delay(Math.max(0, attempt.startedAtMs + LEADER_TIMEOUT_MS - monotonicMs()), undefined, {
          signal: over.signal,
        }).catch(() => undefined),
        once(this.#wakeUp, 'election', { signal: over.signal }).catch(() => undefined),
      ]);
      over.abort();
    }
  }

  async #run(purpose: Attempt['purpose']): Promise<{ helper: Helper; attempt: Attempt }> {
    const { history } = this.#options;
    const helper = await this.#parent.run({
      program: this.#options.program,
      args: ['-vvv'],
      env: this.#env,
      between: true,
    });
    const name = this.#nameOf(helper);
    const attempt: Attempt = {
      node: this.host,
      helper: name,
      purpose,
      startedAtMs: helper.startedAtMs,
      answeredAtMs: undefined,
      answer: undefined,
      waitedMs: 0,
    };
    history.attempts.push(attempt);
    this.#running.add(helper);
    if (this.#leaving) this.#dismiss(helper);
    if (this.#isDead) this.#slay(helper); // it was being started as the node died
    void helper.exited(NEVER_MS).then(({ status, signal, atMs }) => {
      this.#running.delete(helper);
      const end = `${name} exits: ${status ?? signal ?? 'unknown'} at ${Math.round(atMs - history.startedAtMs)} ms`;
      history.stderr.push({ helper: name, text: `${helper.stderr}${end}\n` });
    });
    attempt.answer = await helper.answer(ANSWER_LIMIT_MS).catch(() => undefined);
    attempt.waitedMs = helper.waitedMs;
    attempt.answeredAtMs = helper.answeredAtMs ?? helper.endOfFileAtMs ?? monotonicMs();
    return { helper, attempt };
  }

  #nameOf(helper: Helper): string {
    return `${this.host}/${helper.id}`;
  }

  #claims(helper: Helper, attempt: Attempt): void {
    const claim: Claim = {
      node: this.host,
      helper: attempt.helper,
      fromMs: attempt.answeredAtMs ?? monotonicMs(),
      toMs: undefined,
      deed: undefined,
      deedAtMs: undefined,
    };
    this.#options.history.claims.push(claim);
    const held = { helper, claim };
    this.held = held;
    if (this.#leaving) this.#dismiss(helper);
    void helper.endOfFile(NEVER_MS).then((atMs) => {
      claim.toMs = atMs;
      if (this.held === held) this.held = undefined;
      // Of a dead node nobody hears; the others try at their own pace.
      if (!this.#isDead) this.#options.onClaimEnd();
    });
  }
}
