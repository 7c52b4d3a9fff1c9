/** The valid name that somebody probably meant. */

/** The candidate with the fewest edits from `name`; absent when none is close. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const scored = candidates.map((candidate) => ({
    candidate,
    edits: edits(name.toLowerCase(), candidate.toLowerCase()),
  }));
  const best = scored.reduce<(typeof scored)[number] | undefined>(
    (a, b) => (a && a.edits <= b.edits ? a : b),
    undefined,
  );
  if (best === undefined) return undefined;
  return best.edits <= Math.max(2, Math.floor(name.length / 2)) ? best.candidate : undefined;
}

/** Insertions, deletions, substitutions and swaps of neighbours from one text to another (optimal string alignment). */
function edits(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + Number(a[i - 1] !== b[j - 1]);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? before[j - 2]! + 1 : changed;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, changed, swapped));
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}
