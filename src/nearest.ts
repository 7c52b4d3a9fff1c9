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

/** Levenshtein's distance: insertions, deletions and substitutions from one text to another. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1])));
    }
    row = next;
  }
  return row[b.length]!;
}
