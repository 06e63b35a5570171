// Every run of `npm test` tries a property on the same values: what it says is about the change, not about its luck.
// New values are sought by `npm run fuzz:properties`; a failure names its seed, which PROPERTY_SEED repeats.
const seed = process.env['PROPERTY_SEED'] ?? '1';

/** The first seed of whatever draws values: a whole number from 0 on. */
export const FIRST_SEED = seed === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(seed);

/** How many times as many values as usual are tried, from 1 on. */
export const ROUNDS = Number(process.env['PROPERTY_ROUNDS'] ?? '1');

/** What `fc.assert` is told everywhere: so many values, from the first seed on. */
export function values(count = 100): { readonly seed: number; readonly numRuns: number } {
  return { seed: FIRST_SEED, numRuns: count * ROUNDS };
}
