/**
 * The smallest number of insertions, deletions, replacements and swaps of neighboring letters that turn `a` into `b`.
 */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}

/** The form in which words are compared: lower case, without `-`, `_`, `.` and spaces. */
export function plain(word: string): string {
  return word.toLowerCase().replace(/[-_. ]/g, '');
}

/**
 * The known word that `word` was most likely meant to be. Undefined when more than a third of the letters of every
 * known word differ, compared in the form of `plain`.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const wanted = plain(word);
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of known) {
    // A distance costs length times length. Words whose lengths differ by more than the limit are skipped, because
    // their distance is above it too.
    const compared = plain(candidate);
    const limit = Math.max(1, Math.floor(compared.length / 3));
    if (Math.abs(compared.length - wanted.length) > limit) continue;
    const distance = editDistance(wanted, compared);
    if (distance <= limit && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
