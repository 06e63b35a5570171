import type { Weather } from './weather.ts';
import { MEMBERS, type World } from './world.ts';

export interface Scene {
  readonly world: World;
  readonly weather: Weather;
  readonly random: () => number;
}

/** One fault that can be injected at any time, also while others last. */
export interface RandomFault {
  readonly name: string;
  /** How often it is chosen, beside the others. */
  readonly weight: number;
  /** What it needs for itself while it lasts: members, `lock`, `cluster`; nodes by `holder`. */
  readonly needs: (scene: Scene) => readonly string[];
  /** Injects it, waits for `forMs`, and mends it. */
  readonly run: (scene: Scene, needs: readonly string[], forMs: number) => Promise<void>;
}

/** One of a list. */
export const pick = <T>(random: () => number, from: readonly T[]): T => {
  const found = from[Math.floor(random() * from.length)];
  if (found === undefined) throw new Error('Cannot pick from nothing');
  return found;
};

/** The members beside this one. */
export const membersBut = (host: string): string[] => MEMBERS.filter((member) => member !== host);
