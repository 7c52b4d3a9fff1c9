/** How much of a long list is shown. */

/** Components in a list that the page is sent, at most. */
export const MOST_LISTED = 10_000;

/** So many of a list, evenly from its first to its last. */
export function evenly<T>(list: readonly T[], count: number): T[] {
  if (list.length <= count) return [...list];
  return Array.from({ length: count }, (_, i) => list[Math.round((i * (list.length - 1)) / Math.max(1, count - 1))]!);
}
