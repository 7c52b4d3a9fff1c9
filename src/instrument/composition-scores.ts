/**
 * Composition of heads, read off weights alone (Elhage et al. 2021): how much of what an earlier head can write lies where a later one's
 * query, key or value reads: `‖OV₁ M₂‖ / (‖OV₁‖ ‖M₂‖)`, Frobenius norms, with M₂ the QK, the transposed QK, or the OV of the later head.
 *
 * Random matrices of those shapes compose as well, by chance: their mean is taken away, and shown.
 */
import { Matrix } from "ml-matrix";
import type { RunnableNetwork } from "../network/run.ts";
import { foldIn, type Key, randomNormal } from "../tensor/index.ts";
import { expectTransformer, headCircuits, type HeadPlace, headsOf } from "./attention-circuits.ts";
import { FactoredMatrix } from "./factored-matrix.ts";
import { type Finding, spreadOf } from "./finding.ts";

export type CompositionKind = "query" | "key" | "value";

export interface CompositionRow {
  readonly from: HeadPlace;
  readonly to: HeadPlace;
  readonly into: CompositionKind;
  /** As the formula has it, 0 to 1. */
  readonly score: number;
  /** Less what random matrices have. */
  readonly aboveRandom: number;
}

export interface CompositionTable extends Finding {
  readonly rows: readonly CompositionRow[];
  /** What Gaussian matrices of the same shapes score, and how much that varies. */
  readonly random: { readonly mean: number; readonly deviation: number };
}

/** Pairs of random heads. */
const PAIRS = 32;

/** Every earlier head with every later one. */
export function compositionScores({ network, weights }: RunnableNetwork, key: Key): CompositionTable {
  const made = expectTransformer("composition", network);
  const { dModel, attention } = made.config;
  const random = spreadOf(
    Array.from({ length: PAIRS }, (_, i) => {
      const draw = (name: string, rows: number, columns: number): Matrix =>
        Matrix.from1DArray(rows, columns, Array.from(randomNormal(foldIn(foldIn(key, i), name), rows * columns)));
      const [first, second] = ["first", "second"].map(
        (name) =>
          new FactoredMatrix(draw(`${name} A`, dModel, attention.dHead), draw(`${name} B`, attention.dHead, dModel)),
      ) as [FactoredMatrix, FactoredMatrix];
      return composition(first, second);
    }),
  );
  const circuits = headsOf(made).map((place) => headCircuits(made, weights, place));
  const rows = circuits.flatMap((from) =>
    circuits
      .filter((to) => to.layer > from.layer)
      .flatMap((to) => {
        const reads = { query: to.QK, key: to.QK.transposed(), value: to.OV };
        return Object.entries(reads).map(([into, M]): CompositionRow => {
          const score = composition(from.OV, M);
          return {
            from: { layer: from.layer, head: from.head },
            to: { layer: to.layer, head: to.head },
            into: into as CompositionKind,
            score,
            aboveRandom: score - random.mean,
          };
        });
      }),
  );
  return {
    rows,
    random,
    n: rows.length,
    counted: "pairs of heads and what reads",
    nullDescription: `${PAIRS} pairs of Gaussian matrices of the same shapes`,
    doesNotEstablish:
      "that one head uses the other: a path that decides everything can score near chance, and one that nothing is ever sent along can score high",
  };
}

/** `‖A B‖ / (‖A‖ ‖B‖)`; 0 where one of them is zero. */
export function composition(A: FactoredMatrix, B: FactoredMatrix): number {
  const sizes = A.norm() * B.norm();
  return sizes === 0 ? 0 : A.times(B).norm() / sizes;
}
