/**
 * Where components fire: for each one the sorted positions at which its importance exceeds the threshold. Nothing else of the importances
 * is kept, so that memory goes with the firings and not with components times positions.
 */

/** Firings in compressed rows, one row a component. */
export interface Firings {
  /** How many positions were looked at. */
  readonly positions: number;
  /** The components' addresses. */
  readonly components: readonly string[];
  /** Component c fires at `at[offsets[c]]` to `at[offsets[c + 1] - 1]`. */
  readonly offsets: Int32Array;
  /** Positions, rising within a component. */
  readonly at: Int32Array;
}

/** One component's positions. */
export function firingsOf({ offsets, at }: Firings, c: number): Int32Array {
  return at.subarray(offsets[c]!, offsets[c + 1]!);
}

/** How often each component fires. */
export function firingCounts({ offsets }: Firings): Int32Array {
  return Int32Array.from({ length: offsets.length - 1 }, (_, c) => offsets[c + 1]! - offsets[c]!);
}

/**
 * The components that fire at all. A component whose largest importance stays below the threshold is dead: it costs nothing wherever it
 * is put, and would only lengthen the index.
 */
export function aliveIndices(firings: Firings): number[] {
  return Array.from(firingCounts(firings).entries()).flatMap(([c, count]) => (count > 0 ? [c] : []));
}

/** The firings of some components. */
export function pickFirings(firings: Firings, indices: readonly number[]): Firings {
  return packFirings(
    firings.positions,
    indices.map((c) => firings.components[c]!),
    indices.map((c) => firingsOf(firings, c)),
  );
}

/** Firings from one sorted list of positions a component. */
export function packFirings(
  positions: number,
  components: readonly string[],
  lists: readonly ArrayLike<number>[],
): Firings {
  const offsets = new Int32Array(lists.length + 1);
  lists.forEach((list, c) => (offsets[c + 1] = offsets[c]! + list.length));
  const at = new Int32Array(offsets[lists.length]!);
  lists.forEach((list, c) => at.set(list, offsets[c]!));
  return { positions, components, offsets, at };
}

/** Firings at more positions, after those that are there already. */
export function appendFirings(before: readonly Firings[]): Firings {
  const [first] = before;
  const components = first!.components;
  const starts = before.map((_, i) => before.slice(0, i).reduce((sum, { positions }) => sum + positions, 0));
  const total = before.reduce((sum, { at }) => sum + at.length, 0);
  const offsets = new Int32Array(components.length + 1);
  const at = new Int32Array(total);
  let end = 0;
  for (let c = 0; c < components.length; c++) {
    before.forEach((part, i) => {
      for (let f = part.offsets[c]!; f < part.offsets[c + 1]!; f++) at[end++] = part.at[f]! + starts[i]!;
    });
    offsets[c + 1] = end;
  }
  return { positions: starts.at(-1)! + before.at(-1)!.positions, components, offsets, at };
}
