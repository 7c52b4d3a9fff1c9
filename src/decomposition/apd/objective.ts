/**
 * The objective of attribution-based parameter decomposition (Braun et al. 2025, section 3):
 *
 *   L = β_f L_faithfulness + β L_minimality + α L_simplicity
 *
 * The network runs on its own weights; attributions say which components are active; it runs again on those alone.
 */
import { MechanistError } from "../../error.ts";
import type { Network } from "../../network/network.ts";
import { add, mean, mul, scalar, square, sub, type Tensor, type Tensors } from "../../tensor/index.ts";
import { batchTopK } from "../full-network/batch-top-k.ts";
import { componentProduct, ownSites, remainderOf } from "../full-network/factors.ts";
import { faithfulness } from "../parameter/losses/faithfulness.ts";
import { divergence } from "../parameter/losses/reconstruction.ts";
import { attributions } from "./attribution.ts";
import { partsOf } from "./parts.ts";
import type { ApdSettings } from "./settings.ts";
import { simplicity } from "./simplicity.ts";

/** What the objective weighs and how. */
export type ApdObjectiveSettings = Pick<
  ApdSettings,
  "topK" | "attributionsAt" | "faithfulness" | "reconstruction" | "hiddenReconstruction" | "simplicity" | "p"
>;

/** The loss and its parts, each a scalar. */
export interface ApdObjective {
  readonly loss: Tensor<"">;
  readonly faithfulness: Tensor<"">;
  readonly reconstruction: Tensor<"">;
  readonly hiddenReconstruction: Tensor<"">;
  readonly simplicity: Tensor<"">;
  /** The smallest attribution that made a component active. */
  readonly threshold: Tensor<"">;
}

/** Where neurons are after their nonlinearity. */
const NEURONS = /(^|\.)mlp\.hook_post$/;

/**
 * The objective on one batch.
 *
 * @param weights    the network's own
 * @param components `<site>.parts.V` and `<site>.parts.U`
 */
export function apdObjective(
  network: Network,
  weights: Tensors,
  components: Tensors,
  x: Tensor,
  settings: ApdObjectiveSettings,
): ApdObjective {
  const scores = attributions(network, weights, components, x, settings.attributionsAt);
  const { mask, threshold } = batchTopK(scores, settings.topK);
  const [clean, kept]: Record<string, Tensor>[] = [{}, {}];
  const output = network.forward(weights, x, { at: keeping(clean!) });
  const masked = network.forward(weights, x, {
    at: keeping(kept!),
    matmul: (site, activation) =>
      network.sites.some(({ name }) => name === site.name)
        ? componentProduct(activation as Tensor<"batch d_in">, partsOf(network, components, site), mask)
        : undefined,
  });
  // Each parameter once: what a shared matrix leaves over is left over once, and is simple once.
  const own = ownSites(network).map((site) => ({ site, factors: partsOf(network, components, site) }));
  const parts = {
    faithfulness: faithfulness(
      own.map(({ site, factors }) => remainderOf(network.matrix(weights, site.name), factors)),
    ),
    reconstruction: divergence(network, masked, output),
    hiddenReconstruction: settings.hiddenReconstruction === 0 ? scalar(0) : hiddenReconstruction(clean!, kept!),
    simplicity: simplicity(
      own.map(({ factors }) => factors),
      mask,
      settings.p,
    ),
  };
  const weighed = (Object.keys(parts) as (keyof typeof parts)[])
    .filter((name) => settings[name] !== 0)
    .map((name) => mul(parts[name], settings[name]));
  return { ...parts, loss: weighed.reduce((a, b) => add(a, b), scalar(0)), threshold };
}

/** Remembers the values of neurons. */
function keeping(at: Record<string, Tensor>): (point: string, value: Tensor) => undefined {
  return (point, value) => {
    if (NEURONS.test(point)) at[point] = value;
    return undefined;
  };
}

/** The squared error of neurons after their nonlinearity: a mean over batch and neurons, summed over layers (APD's residual MLPs). */
function hiddenReconstruction(
  clean: Readonly<Record<string, Tensor>>,
  kept: Readonly<Record<string, Tensor>>,
): Tensor<""> {
  const errors = Object.keys(clean).map((point) => mean(square(sub(kept[point]!, clean[point]!))) as Tensor<"">);
  if (errors.length === 0) {
    throw new MechanistError(
      "BadArgument",
      "apd hiddenReconstruction: expected a network with hook points mlp.hook_post, got none; 0 leaves it out",
    );
  }
  return errors.reduce((a, b) => add(a, b));
}
