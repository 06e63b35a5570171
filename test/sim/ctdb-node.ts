import type { Audience } from './contender.ts';
import { Contender } from './contender.ts';
import type { Machine } from './machine.ts';
import type { World } from './world.ts';

// CTDB tries again when the leader's broadcasts have been missing for this long (leader timeout).
const LEADER_TIMEOUT_MS = 5_000;

/** One ctdbd: starts helpers, acts on their answers, and ends them, as ctdb/server/ctdb_cluster_mutex.c does. */
export class CtdbNode implements Audience {
  readonly name: string;
  readonly machine: Machine;
  readonly #world: World;
  #pid: number;
  #helper: Contender | undefined;
  #helpers = new Set<Contender>();
  #runs = 0;
  #isUp = true;

  constructor(world: World, machine: Machine, name: string) {
    this.#world = world;
    this.machine = machine;
    this.name = name;
    this.#pid = world.random.integer(20, 90);
  }

  get leads(): boolean {
    return this.#helper?.byte === '0' && this.#helper.isOpen;
  }

  /** Those of its helpers that have not exited. */
  get helpers(): ReadonlySet<Contender> {
    return this.#helpers;
  }

  /** Tries to become the leader, unless it tries already. */
  elect(inMs: number): void {
    this.#after(inMs, () => {
      if (!this.#isUp || this.#helper !== undefined || !this.#world.isOpen) return;
      this.#helper = this.#run('take');
    });
  }

  /** Runs a second helper beside the leader's, as set_recmode does, and expects to hear that the lock is held. */
  check(inMs: number): void {
    this.#after(inMs, () => {
      if (this.#isUp && this.#world.isOpen) this.#run('check');
    });
  }

  /** Lets go of the lock. */
  stepDown(): void {
    const helper = this.#helper;
    if (helper === undefined) return;
    this.#helper = undefined;
    helper.terminate();
    this.#world.electSomebody(300);
  }

  /** SIGKILL to ctdbd: its helpers get nothing but a new parent. It comes back under another pid. */
  die(): void {
    this.#isUp = false;
    this.#helper = undefined;
    for (const helper of this.#helpers) helper.orphan();
    const { timeline, random } = this.#world;
    timeline.after(random.between(500, 3_000), () => {
      this.#isUp = true;
      this.#pid = random.integer(20, 90);
      this.elect(random.between(0, 1_000));
    });
  }

  endAll(): void {
    this.#helper = undefined;
    for (const helper of this.#helpers) helper.terminate();
  }

  onByte(contender: Contender, byte: string): void {
    const world = this.#world;
    const { random, timeline } = world;
    if (contender === this.#helper && byte === '0') {
      world.onElected(this);
      return;
    }
    timeline.after(random.between(0, 20), () => {
      contender.terminate();
    });
    if (contender !== this.#helper) return;
    this.#helper = undefined;
    this.elect(byte === '1' ? LEADER_TIMEOUT_MS + random.between(0, 500) : random.between(1_000, 1_500));
  }

  onEndOfFile(contender: Contender): void {
    if (contender !== this.#helper) return;
    this.#helper = undefined;
    const { random } = this.#world;
    if (contender.byte === '0') this.#world.electSomebody(400);
    this.elect(random.between(1_000, 2_000));
  }

  onExit(contender: Contender): void {
    this.#helpers.delete(contender);
    const { random, timeline } = this.#world;
    // Most parents look at the status at once; a busy one leaves a zombie for a while.
    timeline.after(random.chance(0.5) ? 0 : random.between(0, 4_000), () => {
      contender.process.reap();
    });
  }

  /** CTDB stands still with its machine. */
  #after(inMs: number, happen: () => void): void {
    const { timeline } = this.#world;
    timeline.after(inMs, () => {
      const stoppedMs = this.machine.stoppedUntilMs - timeline.nowMs;
      if (stoppedMs > 0) this.#after(stoppedMs + 1, happen);
      else happen();
    });
  }

  #run(why: string): Contender {
    const world = this.#world;
    this.#runs += 1;
    const label = `${this.name}.${why}${this.#runs}`;
    const contender = new Contender(world, this.machine, label, this.#pid, [world.checker, this]);
    this.#helpers.add(contender);
    world.contenders.push(contender);
    world.history.tell(label, () => `starts as pid ${contender.process.pid} on ${this.machine.name}`);
    world.onStart(contender);
    contender.start();
    return contender;
  }
}
