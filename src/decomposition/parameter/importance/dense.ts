/** Dense layers, `GELU(x W + b)`, and the heads that make one pre-activation for each component of a site of what they found. */
import type { Site } from "../../../network/network.ts";
import { add, einsum, gelu, relabel, type Tensor, type Tensors } from "../../../tensor/index.ts";
import type { Slots } from "./importance.ts";
import { kaiming, type StartedWeight, ZERO } from "./start.ts";

/** The weights of hidden layers called `<name>.W_0`, `<name>.b_0` and so on. */
export function hiddenWeights(name: string, dIn: number, widths: readonly number[]): StartedWeight[] {
  return widths.flatMap((width, i): StartedWeight[] => {
    const read = i === 0 ? dIn : widths[i - 1]!;
    return [
      { name: `${name}.W_${i}`, axes: "d_in hidden", shape: [read, width], start: kaiming(read, Math.SQRT2) },
      { name: `${name}.b_${i}`, axes: "hidden", shape: [width], start: ZERO },
    ];
  });
}

/** What the last of `count` hidden layers finds. */
export function hiddenLayers(
  weights: Tensors,
  name: string,
  count: number,
  x: Tensor<"batch d_in">,
): Tensor<"batch hidden"> {
  let value: Tensor = x;
  for (let i = 0; i < count; i++) {
    const W = weights[`${name}.W_${i}`] as Tensor<"d_in hidden">;
    const product = einsum("batch d_in, d_in hidden -> batch hidden", relabel(value, "batch d_in"), W);
    value = gelu(add(product, weights[`${name}.b_${i}`] as Tensor<"hidden">));
  }
  return relabel(value, "batch hidden");
}

/** The weights of a site's head. */
export function headWeights({ site, C }: Slots, hidden: number): StartedWeight[] {
  return [
    { name: `${site.name}.head.W`, axes: "hidden C", shape: [hidden, C], start: kaiming(hidden, 1) },
    { name: `${site.name}.head.b`, axes: "C", shape: [C], start: ZERO },
  ];
}

/** A site's pre-activations from hidden units: one product, which writes components as rows. */
export function head(weights: Tensors, site: Site, hidden: Tensor<"batch hidden">): Tensor<"C batch"> {
  const W = weights[`${site.name}.head.W`] as Tensor<"hidden C">;
  const product = einsum("batch hidden, hidden C -> C batch", hidden, W);
  return add(product, weights[`${site.name}.head.b`] as Tensor<"C">);
}
