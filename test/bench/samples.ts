/** The middle value, and how far most of the others are from it. */
export interface Spread {
  readonly median: number;
  readonly lowest: number;
  /** A quarter of the values is below. */
  readonly lower: number;
  /** A quarter of the values is above. */
  readonly upper: number;
  readonly highest: number;
  readonly count: number;
}

function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN];
  return below + (above - below) * (at - Math.floor(at));
}

/** Undefined for no values at all. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    lowest: quantile(sorted, 0),
    lower: quantile(sorted, 0.25),
    upper: quantile(sorted, 0.75),
    highest: quantile(sorted, 1),
    count: sorted.length,
  };
}

/** NaN for no values at all. */
export function medianOf(values: readonly number[]): number {
  return spreadOf(values)?.median ?? NaN;
}

export function quantileOf(values: readonly number[], share: number): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    share,
  );
}
