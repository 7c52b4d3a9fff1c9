import { describe, expect, test } from "vitest";
import { expectClose } from "../../../test/expect-close.ts";
import { interpret, type NamedValues, values } from "../../engine/index.ts";
import { type Network, weightInputs } from "../../network/network.ts";
import { residualMlp } from "../../network/residual-mlp.ts";
import { tms } from "../../network/tms.ts";
import {
  constant,
  foldIn,
  gradients,
  keyFromSeed,
  randomNormal,
  select,
  sizeOf,
  sum,
  type Tensor,
} from "../../tensor/index.ts";
import { componentMatrices, ownSites } from "../full-network/factors.ts";
import { attributions } from "./attribution.ts";
import { firstFactors } from "./apd.ts";
import { apdWeights, partsOf } from "./parts.ts";
import { apdSettings } from "./settings.ts";

const key = keyFromSeed(3);
const C = 4;
const BATCH = 6;
const settings = apdSettings.parse({
  components: C,
  factors: 2,
  topK: 1,
  simplicity: 1,
  batch: BATCH,
  steps: 1,
  learningRate: 1,
});

/** Weights, and where each site's matrix is among them. */
const NETWORKS: Readonly<Record<string, { network: Network; weightOf: (site: string) => string }>> = {
  "one matrix used twice": { network: tms({ features: 5, hidden: 3, identity: true }), weightOf: () => "W" },
  "two layers": {
    network: residualMlp({ features: 4, dModel: 6, dMlp: 3, layers: 2 }),
    weightOf: (site) => site,
  },
};

describe.each(Object.keys(NETWORKS))("attributions of %s", (name) => {
  const { weightOf } = NETWORKS[name]!;
  // The identity between is no weight: nothing can be differentiated by it.
  const whole = NETWORKS[name]!.network;
  const network: Network = { ...whole, sites: whole.sites.filter((site) => site.name !== "identity") };
  const tensors = { ...weightInputs(network.weights), ...weightInputs(apdWeights(network, settings)) };
  const own: NamedValues = Object.fromEntries(
    network.weights.map(({ name: weight, axes, shape }) => [
      weight,
      values(axes, shape, randomNormal(foldIn(key, weight), sizeOf(shape))),
    ]),
  );
  const feeds = { ...own, ...firstFactors(network, settings, key) };
  const features = network.input.sizes.feature!;
  const numbers = Array.from(randomNormal(foldIn(key, "x"), BATCH * features));
  const x = constant("batch feature", { batch: BATCH, feature: features }, numbers);

  /** By the definition: parameters' gradients one example and one output at a time, against whole components. */
  function bruteForce(at: NamedValues): Float64Array {
    const wrt = [...new Set(ownSites(network).map((site) => weightOf(site.name)))];
    const inputs = weightInputs(network.weights);
    const matrices = ownSites(network).map((site) => componentMatrices(partsOf(network, tensors, site)));
    const P = interpret(Object.fromEntries(matrices.map((m, i) => [wrt[i]!, m])) as Record<string, Tensor>, feeds);
    const out = new Float64Array(C * BATCH);
    for (let b = 0; b < BATCH; b++) {
      const example = constant(
        "batch feature",
        { batch: 1, feature: features },
        numbers.slice(b * features, (b + 1) * features),
      );
      const output = network.forward(inputs, example);
      for (let o = 0; o < features; o++) {
        const one = sum(select(output as Tensor<"batch feature">, "feature", o)) as Tensor;
        const slopes = gradients(
          one,
          wrt.map((weight) => inputs[weight]!),
        );
        const found = interpret(
          Object.fromEntries(wrt.map((weight, i) => [weight, slopes[i]!])) as Record<string, Tensor>,
          at,
        );
        for (let c = 0; c < C; c++) {
          const change = wrt.reduce((total, weight) => {
            const { data } = found[weight]!;
            return total + Array.from(data).reduce((dot, g, i) => dot + g * P[weight]!.data[c * data.length + i]!, 0);
          }, 0);
          out[c * BATCH + b]! += change ** 2 / features;
        }
      }
    }
    return out.map(Math.sqrt);
  }

  test("at the network's own parameters are what gradients of single examples give", () => {
    const { A } = interpret({ A: attributions(network, tensors, tensors, x, "target") }, feeds);
    expectClose(A, { axes: "C batch", shape: [C, BATCH], data: bruteForce(own) }, { relative: 1e-12 });
    expect(Math.min(...A.data)).toBeGreaterThan(0);
  });

  test("at the components' sum are those of the network with that sum for weights", () => {
    const sums = ownSites(network).map((site) => [
      weightOf(site.name),
      sum(componentMatrices(partsOf(network, tensors, site)), "C"),
    ]);
    const replaced = interpret(Object.fromEntries(sums) as Record<string, Tensor>, feeds);
    const at = {
      ...own,
      ...Object.fromEntries(Object.entries(replaced).map(([weight, m]) => [weight, { ...m, axes: own[weight]!.axes }])),
    };
    const { A } = interpret({ A: attributions(network, tensors, tensors, x, "components") }, feeds);
    expectClose(A, { axes: "C batch", shape: [C, BATCH], data: bruteForce(at) }, { relative: 1e-12 });
  });
});
