/** Networks with random weights, taken apart into random components: whatever holds of them holds by construction. */
import { scalarGates } from "../../src/decomposition/parameter/importance/scalar-gate.ts";
import { componentWeights, ParameterDecomposition } from "../../src/decomposition/parameter/parameter-decomposition.ts";
import { type NamedValues, values } from "../../src/engine/index.ts";
import type { Network } from "../../src/network/network.ts";
import { foldIn, keyFromSeed, randomNormal, sizeOf } from "../../src/tensor/index.ts";

/** Random weights, `C` random components a site, and random gates of 3 hidden units. */
export function randomDecomposition(network: Network, C: number, seed = 1): ParameterDecomposition {
  const gates = scalarGates(3);
  const draw = (specs: Network["weights"]): NamedValues =>
    Object.fromEntries(
      specs.map(({ name, axes, shape }) => {
        const numbers = randomNormal(foldIn(keyFromSeed(seed), name), sizeOf(shape));
        return [
          name,
          values(
            axes,
            shape,
            numbers.map((x) => x * 0.6),
          ),
        ];
      }),
    );
  const slots = network.sites.map((site) => ({ site, C }));
  return new ParameterDecomposition(network, draw(network.weights), draw(componentWeights(slots, gates)), gates);
}
