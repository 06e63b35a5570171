import type { CtdbNode } from './node.ts';

/** A time in which a node believed that it was leader and had the lock; Unix milliseconds. */
export interface Claim {
  readonly pnn: number;
  readonly fromMs: number;
  /** Infinity while it lasts. */
  readonly toMs: number;
}

/** The end of a node's recoverd other than by its own log: when it was killed. */
export interface Death {
  readonly pnn: number;
  readonly atMs: number;
}

const BEGINS = /^Took cluster lock/;
const ENDS = /^(Cluster lock helper terminated|Releasing cluster lock|monitor_cluster starting)/;

/** All claims that the logs tell of, in order of their beginning. */
export function claimsOf(nodes: readonly CtdbNode[], deaths: readonly Death[]): Claim[] {
  return nodes
    .flatMap((node) => {
      const ends = [
        ...node.log.grep(ENDS).map(({ atMs }) => atMs),
        ...deaths.filter(({ pnn }) => pnn === node.pnn).map(({ atMs }) => atMs),
      ].sort((a, b) => a - b);
      return node.log.grep(BEGINS).map(({ atMs: fromMs }) => ({
        pnn: node.pnn,
        fromMs,
        toMs: ends.find((atMs) => atMs > fromMs) ?? Infinity,
      }));
    })
    .sort((a, b) => a.fromMs - b.fromMs);
}

/** Pairs of claims of which the second began before the first had ended. */
export function overlaps(claims: readonly Claim[]): (readonly [Claim, Claim])[] {
  return claims.flatMap((claim, index) =>
    claims
      .slice(index + 1)
      .filter(({ fromMs }) => fromMs < claim.toMs)
      .map((other) => [claim, other] as const),
  );
}

/** The times between claims in which nobody was leader. */
export function pauses(claims: readonly Claim[]): { readonly fromMs: number; readonly toMs: number }[] {
  return claims.slice(1).map(({ fromMs }, index) => ({
    fromMs: Math.max(...claims.slice(0, index + 1).map(({ toMs }) => toMs)),
    toMs: fromMs,
  }));
}
