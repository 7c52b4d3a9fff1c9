/**
 * Causal importance by vector gates: one small MLP for each subcomponent, which sees the whole vector that goes into the site, `a → Linear(d_in,
 * width) → GELU → Linear(width, 1)` (the "vector MLP" of the SPD repository). It can tell what a scalar gate cannot: where its component
 * reads the same number from two different inputs. It costs d_in times the products.
 *
 * Tensors run `C gate batch` in memory, as those of scalar gates do; the first product is then a single matrix product.
 */
import { add, axisSize, einsum, gelu, slice, type Tensor, type Tensors } from "../../../tensor/index.ts";
import { inBlocks } from "./blocks.ts";
import type { ImportanceFunction, SeenSite, Slots } from "./importance.ts";
import { bySite, vectorOf, widthOf } from "./seen.ts";
import { drawn, kaiming, type StartedWeight, ZERO } from "./start.ts";

/** Vector gates of `width` hidden units. */
export function vectorMlps(width: number): ImportanceFunction {
  const parts = (slots: readonly Slots[]): StartedWeight[] =>
    slots.flatMap(({ site, C }) => [
      {
        name: `${site.name}.gate.W_in`,
        axes: "C gate d_in",
        shape: [C, width, widthOf(site)],
        start: kaiming(site.dIn, Math.SQRT2),
      },
      { name: `${site.name}.gate.b_in`, axes: "C gate", shape: [C, width], start: ZERO },
      { name: `${site.name}.gate.W_out`, axes: "C gate", shape: [C, width], start: kaiming(width, 1) },
      { name: `${site.name}.gate.b_out`, axes: "C", shape: [C], start: ZERO },
    ]);
  return {
    weights: parts,
    start: (slots, key) => drawn(parts(slots), key),
    preactivations: (weights, seen) =>
      Object.fromEntries([...bySite(seen)].map(([name, one]) => [name, gatePreactivations(weights, one)])),
  };
}

function gatePreactivations(weights: Tensors, seen: SeenSite): Tensor<"C batch"> {
  const x = vectorOf(seen);
  const [W_in, b_in, W_out, b_out] = ["W_in", "b_in", "W_out", "b_out"].map(
    (name) => weights[`${seen.site.name}.gate.${name}`]!,
  ) as [Tensor<"C gate d_in">, Tensor<"C gate">, Tensor<"C gate">, Tensor<"C">];
  return inBlocks(axisSize(W_in, "C"), axisSize(W_in, "gate") * axisSize(x, "batch"), (start, end) => {
    const product = einsum("C gate d_in, batch d_in -> C gate batch", slice(W_in, "C", start, end), x);
    const hidden = gelu(add(product, slice(b_in, "C", start, end)));
    const out = einsum("C gate batch, C gate -> C batch", hidden, slice(W_out, "C", start, end));
    return add(out, slice(b_out, "C", start, end));
  });
}
