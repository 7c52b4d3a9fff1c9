/**
 * Causal importance: a number in [0, 1] that says how much a subcomponent may not be removed on an input (SPD paper, section 2; VPD,
 * "causal importance function"). Every way to predict it is a function from what the sites see, when the network runs on its own weights,
 * to one pre-activation for each component and row; two leaky hard sigmoids make importances of that.
 */
import type { NamedValues } from "../../../engine/index.ts";
import type { Site, WeightSpec } from "../../../network/network.ts";
import type { Key, Tensor, Tensors } from "../../../tensor/index.ts";
import { lowerLeakyHardSigmoid, slopedHardSigmoid, upperLeakyHardSigmoid } from "./hard-sigmoid.ts";

/** A site with the number of its subcomponents. */
export interface Slots {
  readonly site: Site;
  readonly C: number;
}

/** What one site sees in the run on the network's own weights. */
export interface SeenSite extends Slots {
  /** What its matrix multiplies: `batch d_in`, or `batch pos d_in`. No gradient goes back into the network through it. */
  readonly activation: Tensor;
  /** The inner activations `h_c = V[:, c] · a`, one row an example and position. */
  readonly inner: Tensor<"C batch">;
}

/**
 * A way to predict importances.
 *
 * Tensors with an axis `C` belong to one site and are called `<site>.…`, so that a component can be taken out of all of them; the others
 * are called `importance.…`.
 */
export interface ImportanceFunction {
  /** Hook points it wants to see besides the sites; absent, none. */
  readonly points?: readonly string[];
  weights(slots: readonly Slots[]): WeightSpec[];
  /** Their numbers at the start. */
  start(slots: readonly Slots[], key: Key): NamedValues;
  /**
   * What goes into the hard sigmoids, `C batch` by site, rows as in `inner`.
   *
   * @param at values at `points`
   */
  preactivations(weights: Tensors, seen: readonly SeenSite[], at: Tensors): Readonly<Record<string, Tensor<"C batch">>>;
}

/** How the importance that makes masks treats pre-activations below 0. */
export type LowerLeak = "straight-through" | "slope";

/** One site's importances `C batch`. */
export interface CausalImportance {
  /** What masks are made of. */
  readonly lower: Tensor<"C batch">;
  /** What importance minimality pays for. */
  readonly upper: Tensor<"C batch">;
}

/** The two importances that a pre-activation stands for. */
export function causalImportance(z: Tensor<"C batch">, lowerLeak: LowerLeak = "straight-through"): CausalImportance {
  const lower = lowerLeak === "slope" ? slopedHardSigmoid(z) : lowerLeakyHardSigmoid(z);
  return { lower, upper: upperLeakyHardSigmoid(z) };
}
