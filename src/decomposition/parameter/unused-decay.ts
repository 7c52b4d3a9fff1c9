/** Decay of components that nothing needs (tPD, CI-scaled weight decay). */
import type { Site } from "../../network/network.ts";
import { input, mul, sub, type Tensor, type Tensors } from "../../tensor/index.ts";
import { componentsGroup } from "./groups.ts";
import type { ParameterSettings } from "./settings.ts";

/** After the optimiser's step, `V` and `U` of component c are multiplied by `1 - rate · decay · (1 - greatest_c)`. */
export function unusedDecay(
  sites: readonly Site[],
  settings: ParameterSettings,
): (weights: Tensors, values: Tensors) => Tensors {
  return (weights, values) => {
    const rate = input(`${componentsGroup(settings)}learningRate`, "", {});
    return Object.fromEntries(
      sites.flatMap(({ name }) => {
        const unused = sub(1, values[`greatest/${name}`]! as Tensor<"C">);
        const factor = sub(1, mul(unused, mul(rate, settings.unusedDecay)));
        return [`${name}.V`, `${name}.U`].flatMap((weight) =>
          weights[weight] === undefined ? [] : [[weight, mul(weights[weight], factor) as Tensor]],
        );
      }),
    );
  };
}
