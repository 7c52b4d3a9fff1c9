/**
 * How much each subcomponent is used: the mean over the batch of a penalty on its causal importance. Importance minimality sums these
 * means, frequency minimality bends them, and both must speak of the same ones.
 */
import {
  add,
  clamp,
  constant,
  div,
  mul,
  pow,
  square,
  sum,
  type Tensor,
  withDerivative,
} from "../../../tensor/index.ts";

/**
 * `(g + ε)^p` (SPD paper with ε = 0; SPD repository with 1e-12).
 *
 * With p < 1 and ε = 0 importances are kept above 1e-12, where the gradient would be infinite: those below have none.
 */
export interface PowerPenalty {
  /** The exponent; a scalar tensor where it changes during the run. */
  readonly p: number | Tensor<"">;
  /** ε; 0 where absent. */
  readonly epsilon?: number;
}

/**
 * Smooth L0, `g² / (g² + γ²)` (Geman & McClure 1985; param-decomp SPEC, S9): almost 0 below γ, almost 1 above, with a slope of at most
 * 0.65 / γ, so that no gradient explodes as p < 1 makes it do.
 */
export interface SmoothL0Penalty {
  /** γ > 0; a scalar tensor where it changes during the run. */
  readonly gamma: number | Tensor<"">;
  /** Whether it is multiplied by `1 + γ²`, so that an importance of 1 costs 1 whatever γ is. */
  readonly normalizeAtOne?: boolean;
}

/** What an importance costs. */
export type ImportancePenalty = PowerPenalty | SmoothL0Penalty;

/** The penalty on each importance. */
export function penalised(g: Tensor<"C batch">, penalty: ImportancePenalty): Tensor<"C batch"> {
  return "gamma" in penalty ? smoothL0(g, penalty) : power(g, penalty);
}

/**
 * `f_c`, for each site the mean over its rows of the penalty on each component's importance.
 *
 * @param importances upper-leaky causal importances, `C batch` for each site
 * @returns           `C` for each site, ≥ 0
 */
export function activityMeans(
  importances: readonly Tensor<"C batch">[],
  penalty: ImportancePenalty,
): readonly Tensor<"C">[] {
  return importances.map((g) => mul(sum(penalised(g, penalty), "batch"), 1 / g.shape[1]!));
}

function power(g: Tensor<"C batch">, { p, epsilon = 0 }: PowerPenalty): Tensor<"C batch"> {
  const shifted = epsilon === 0 ? g : add(g, epsilon);
  if (p === 1) return shifted;
  if (p === 2) return square(shifted);
  const exponent = typeof p === "number" ? constant("", {}, p) : p;
  return pow(epsilon === 0 ? clamp(g, 1e-12, Infinity) : shifted, exponent);
}

function smoothL0(g: Tensor<"C batch">, { gamma, normalizeAtOne = false }: SmoothL0Penalty): Tensor<"C batch"> {
  const width = square(typeof gamma === "number" ? constant("", {}, gamma) : gamma);
  const value = div(square(g), add(square(g), width));
  // Written out, 2gγ² / (g² + γ²)²: the quotient rule would take the difference of two numbers that are nearly equal where g ≫ γ.
  const penalty = withDerivative(value, [g], (gradient, [given]) => {
    const total = add(square(given!), width);
    return [mul(gradient, div(mul(given!, mul(width, 2)), square(total)))];
  });
  return normalizeAtOne ? mul(penalty, add(width, 1)) : penalty;
}
