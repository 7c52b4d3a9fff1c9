/**
 * What masks do to the values inside: the squared error at hook points relative to the values there, `Σ (a' - a)² / Σ a²` (VPD, hidden
 * activations). An output may look right because the last layers undo what the first ones lost; here that shows.
 */
import type { Network } from "../network/network.ts";
import { div, square, sub, sum, type Tensor } from "../tensor/index.ts";
import type { FreshData } from "./fresh-data.ts";
import { maskingOf, type Regime } from "./regimes.ts";

/** Where it is measured: the residual stream after each part, and where there is none every point but the last, the output. */
function hiddenPoints({ points }: Pick<Network, "points">): string[] {
  const names = points.map(({ name }) => name);
  const boundaries = names.filter((name) => /hook_resid_(mid|post)$/.test(name));
  return boundaries.length > 0 ? boundaries : names.slice(0, -1);
}

/** The relative error at each point under a regime, as scalars of a program. */
export function hiddenErrors(
  { decomposition, given }: FreshData,
  regime: Regime,
): Readonly<Record<string, Tensor<"">>> {
  const { network, tensors } = decomposition;
  const [clean, masked]: Record<string, Tensor>[] = [{}, {}];
  const into = (found: Record<string, Tensor>) => (point: string, value: Tensor) => {
    found[point] = value;
    return undefined;
  };
  network.forward(tensors, given.x, { at: into(clean!) });
  const { masks, ...rest } = maskingOf(regime, given);
  decomposition.masked(given.x, masks, { ...rest, at: into(masked!) });
  const seen = hiddenPoints(network).filter((point) => clean![point] !== undefined);
  return Object.fromEntries(
    seen.map((point) => {
      const error = sum(square(sub(masked![point]!, clean![point]!)));
      return [point, div(error, sum(square(clean![point]!))) as Tensor<"">];
    }),
  );
}
