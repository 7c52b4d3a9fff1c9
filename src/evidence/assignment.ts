/** Which component belongs to which input: the best one-to-one assignment. */
import { linearSumAssignment } from "linear-sum-assignment";
import { Matrix } from "ml-matrix";
import type { Values } from "../engine/index.ts";

/**
 * Columns in an order that makes a matrix of importances as much like the identity as a permutation can: the one assigned to
 * row i stands at place i (Hungarian method), the rest follow by their total, largest first.
 *
 * @param importances `batch C` with at least as many columns as rows
 */
export function identityOrder(importances: Values): number[] {
  return groupOrder(importances, oneEach(importances));
}

/** Every row a group of its own. */
export const oneEach = ({ shape }: Values): number[][] => Array.from({ length: shape[0]! }, (_, i) => [i]);

/**
 * The same where several rows share a column: the one assigned to group k, by its total over the group's rows, stands at place k.
 *
 * @param importances `batch C` with at least as many columns as there are groups
 */
export function groupOrder(importances: Values, groups: readonly (readonly number[])[]): number[] {
  const columns = importances.shape[1]!;
  const matrix = Matrix.zeros(groups.length, columns);
  groups.forEach((rows, k) => {
    for (let c = 0; c < columns; c++) {
      matrix.set(
        k,
        c,
        rows.reduce((sum, i) => sum + importances.data[i * columns + c]!, 0),
      );
    }
  });
  const { rowAssignments } = linearSumAssignment(matrix, { maximaze: true });
  const matched = Array.from(rowAssignments).filter((c) => c >= 0);
  const rest = byTotal(importances).filter((c) => !matched.includes(c));
  return [...matched, ...rest];
}

/** Columns by their total, largest first. */
export function byTotal(importances: Values): number[] {
  const [rows, columns] = importances.shape as [number, number];
  const totals = Array.from({ length: columns }, (_, c) => {
    let total = 0;
    for (let i = 0; i < rows; i++) total += importances.data[i * columns + c]!;
    return total;
  });
  return totals.map((_, c) => c).sort((a, b) => totals[b]! - totals[a]! || a - b);
}
