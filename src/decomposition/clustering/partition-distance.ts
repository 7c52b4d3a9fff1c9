/**
 * How far two clusterings of the same components are from one another, whatever their clusters are numbered.
 *
 * - Hamming: the fraction of components that lie in another cluster, when clusters are matched one to one as well as they can be (Hungarian method);
 * - matching: the fraction of pairs of components that are together in one and apart in the other (1 minus Rand's index). With many small
 *   clusters nearly all pairs are apart in both, and it is near 0 whatever they are;
 * - adjusted Rand (Hubert & Arabie 1985): 1 where they are the same, 0 on average by chance, for clusters of these sizes.
 */
import { linearSumAssignment } from "linear-sum-assignment";
import { Matrix } from "ml-matrix";

/** A cluster's number for each component, from 0. */
export type Labels = Int32Array;

/** Hungarian matching takes time that goes with the cube of this many clusters. */
export const MOST_MATCHED = 256;

/** Fraction of components in another cluster, in [0, 1]; nothing where there are more than `MOST_MATCHED` clusters. */
export function hammingDistance(a: Labels, b: Labels): number | null {
  const [rows, columns] = [countOf(a), countOf(b)];
  if (Math.max(rows, columns) > MOST_MATCHED) return null;
  const both = Matrix.zeros(rows, columns);
  a.forEach((row, c) => both.set(row, b[c]!, both.get(row, b[c]!) + 1));
  return 1 - linearSumAssignment(both, { maximaze: true }).gain / a.length;
}

/** Fraction of pairs on which the two disagree, in [0, 1]. */
export function matchingDistance(a: Labels, b: Labels): number {
  const { together, inA, inB, all } = pairs(a, b);
  return all === 0 ? 0 : (inA + inB - 2 * together) / all;
}

/** At most 1; 0 on average by chance. 1 as well where chance could not have done otherwise. */
export function adjustedRand(a: Labels, b: Labels): number {
  const { together, inA, inB, all } = pairs(a, b);
  const expected = all === 0 ? 0 : (inA * inB) / all;
  const most = (inA + inB) / 2;
  return most === expected ? 1 : (together - expected) / (most - expected);
}

/** How many pairs are together in both, in each, and how many there are. */
function pairs(a: Labels, b: Labels): { together: number; inA: number; inB: number; all: number } {
  const width = countOf(b);
  const cells = new Map<number, number>();
  a.forEach((row, c) => {
    const cell = row * width + b[c]!;
    cells.set(cell, (cells.get(cell) ?? 0) + 1);
  });
  return { together: choices(cells.values()), inA: within(a), inB: within(b), all: choices([a.length]) };
}

function within(labels: Labels): number {
  const sizes = new Int32Array(countOf(labels));
  for (const label of labels) sizes[label]!++;
  return choices(sizes);
}

function choices(sizes: Iterable<number>): number {
  let total = 0;
  for (const size of sizes) total += (size * (size - 1)) / 2;
  return total;
}

const countOf = (labels: Labels): number => labels.reduce((most, label) => Math.max(most, label + 1), 0);
