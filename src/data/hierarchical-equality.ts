/**
 * Hierarchical equality (Geiger et al. 2023, "Finding alignments between interpretable causal variables and distributed neural
 * representations"): four vectors a, b, c, d; the label is whether `a = b` and `c = d` are both true or both false. Its causal model has the
 * two equalities as variables between input and label. Drawn by a traced program of uniform draws.
 */
import { MechanistError } from "../error.ts";
import {
  cast,
  concat,
  equal,
  less,
  reshape,
  select,
  slice,
  sub,
  type Tensor,
  uniform,
  where,
} from "../tensor/index.ts";

/** The variables of the causal model: whether a = b, whether c = d. */
export const EQUALITIES = ["left", "right"] as const;
export type Equality = (typeof EQUALITIES)[number];

export interface EqualityOptions {
  readonly batch: number;
  /** How many numbers a vector has; each is from U[-0.5, 0.5). */
  readonly dimensions: number;
}

/** Inputs with the causal model's values. */
export interface EqualityExamples {
  /** f32 `batch input`: a, b, c, d after one another. */
  readonly x: Tensor<"batch input">;
  /** bool `batch` */
  readonly left: Tensor<"batch">;
  readonly right: Tensor<"batch">;
  /** bool `batch`: `left = right`. */
  readonly label: Tensor<"batch">;
}

/**
 * A batch of examples. Both equalities, and so the label, are true of half the inputs on average, independently.
 *
 * @param name names the draws, so that two batches in one program differ
 */
export function equalityExamples(name: string, { batch, dimensions }: EqualityOptions): EqualityExamples {
  if (!(Number.isInteger(dimensions) && dimensions >= 1)) {
    throw new MechanistError("BadArgument", `hierarchical equality: expected at least 1 dimension, got ${dimensions}`);
  }
  const sizes = { batch, object: 4, d_object: dimensions };
  const objects = sub(uniform(`${name}/objects`, "batch object d_object", sizes), 0.5);
  const truths = less(uniform(`${name}/equalities`, "batch side", { batch, side: 2 }), 0.5);
  const object = (i: number): Tensor<"batch object d_object"> => slice(objects, "object", i, i + 1);
  const side = (i: number): Tensor<"batch"> => select(truths, "side", i);
  const [left, right] = [side(0), side(1)];
  const four = concat(
    [object(0), where(left, object(0), object(1)), object(2), where(right, object(2), object(3))],
    "object",
  );
  return { x: reshape(four, "batch input", { batch, input: 4 * dimensions }), left, right, label: same(left, right) };
}

/** Pairs for interchange interventions. */
export interface EqualityPairs {
  readonly base: EqualityExamples;
  readonly source: EqualityExamples;
  /** bool `batch`: what the causal model says of the base with one variable as the source has it. */
  readonly label: Tensor<"batch">;
}

/**
 * A batch of pairs, base and source drawn independently.
 *
 * The counterfactual label differs from the base's in half of the pairs on average: those where the sources' and the bases' values differ.
 *
 * @param variable which variable the base takes from the source
 */
export function equalityPairs(name: string, options: EqualityOptions, variable: Equality): EqualityPairs {
  const base = equalityExamples(`${name}/base`, options);
  const source = equalityExamples(`${name}/source`, options);
  const label = variable === "left" ? same(source.left, base.right) : same(base.left, source.right);
  return { base, source, label };
}

function same(a: Tensor<"batch">, b: Tensor<"batch">): Tensor<"batch"> {
  return equal(cast(a, "i32"), cast(b, "i32"));
}
