/**
 * What each neuron contributes to each feature's own output, in a residual MLP and in its components: is the computation of a feature, spread
 * over neurons, that of one component? (SPD paper, figure of neuron contributions; published correlation 1.000 for one layer.)
 *
 * In the network, neuron n contributes `(W_E[i] W_in)_n (W_out W_Eᵀ[i])_n` to feature i. In components it is the same with one component's
 * `V_c U_c` in place of `W_in` and the sum of all components in place of `W_out`; for each feature and layer the component whose contributions
 * are largest in sum of squares is taken.
 *
 * What it does not say: that no other component contributes, nor when each matters.
 */
import { componentFactors, type Decomposition, type Factors } from "../decomposition/decomposition.ts";
import { interpret, type Values } from "../engine/index.ts";
import { meanOfNumbers } from "../intervention/bootstrap.ts";
import { einsum, rename, type Tensor } from "../tensor/index.ts";
import type { KnownContributions } from "../training/known-mechanisms.ts";

/**
 * The correlation, over all features, layers and neurons, of the components' contributions with the network's. Absent where a site was not
 * taken apart.
 */
export function contributionCorrelation(
  decomposition: Decomposition,
  { embedding, layers }: KnownContributions,
): number | undefined {
  const names = new Set(decomposition.sites.map(({ name }) => name));
  if (!layers.every(({ reads, writes }) => names.has(reads) && names.has(writes))) return undefined;
  const { network, tensors, values } = decomposition;
  const partsOf = (name: string): Factors =>
    componentFactors(
      decomposition,
      decomposition.sites.find((site) => site.name === name)!,
    );
  const W_E = rename<"feature d_in">(tensors[embedding]!, "d_model -> d_in");
  const program = Object.fromEntries(
    layers.flatMap(({ reads, writes }): [string, Tensor][] => {
      const W_in = network.matrix(tensors, reads);
      const W_out = network.matrix(tensors, writes);
      const [reading, writing] = [partsOf(reads), partsOf(writes)];
      const back = rename<"feature d_out">(W_E, "d_in -> d_out");
      return [
        [`${reads}/own`, einsum("feature d_in, d_in d_out -> feature d_out", W_E, W_in)],
        [`${writes}/own`, einsum("feature d_out, d_in d_out -> feature d_in", back, W_out)],
        [`${reads}/read`, einsum("feature d_in, d_in C m -> feature C m", W_E, reading.V)],
        [`${reads}/U`, reading.U],
        [
          `${writes}/sum`,
          einsum(
            "feature C m, d_in C m -> feature d_in",
            einsum("feature d_out, C m d_out -> feature C m", back, writing.U),
            writing.V,
          ),
        ],
      ];
    }),
  );
  const found = interpret<Record<string, Tensor>>(program, values);
  const pairs = layers.map(({ reads, writes }) => {
    const own = product(found[`${reads}/own`]!, found[`${writes}/own`]!);
    return { own, parts: largest(found[`${reads}/read`]!, found[`${reads}/U`]!, found[`${writes}/sum`]!) };
  });
  return correlation(
    pairs.flatMap(({ own }) => Array.from(own)),
    pairs.flatMap(({ parts }) => Array.from(parts)),
  );
}

function product(a: Values, b: Values): Float64Array {
  return Float64Array.from(a.data, (x, i) => x * b.data[i]!);
}

/**
 * For each feature, the contributions `feature neuron` of its largest component.
 *
 * @param read    `feature C m`: how much each factor of a component reads of a feature
 * @param U       `C m neuron`
 * @param readOff `feature neuron`: how much of each neuron comes back to the feature
 */
function largest(read: Values, U: Values, readOff: Values): Float64Array {
  const [features, C, m] = read.shape as [number, number, number];
  const neurons = U.shape[2]!;
  const out = new Float64Array(features * neurons);
  for (let i = 0; i < features; i++) {
    let best = -1;
    for (let c = 0; c < C; c++) {
      const row = new Float64Array(neurons);
      for (let k = c * m; k < (c + 1) * m; k++) {
        const strength = read.data[i * C * m + k]!;
        for (let n = 0; n < neurons; n++)
          row[n]! += strength * U.data[k * neurons + n]! * readOff.data[i * neurons + n]!;
      }
      const size = row.reduce((sum, x) => sum + x * x, 0);
      if (size > best) {
        best = size;
        out.set(row, i * neurons);
      }
    }
  }
  return out;
}

/** Pearson's correlation; 0 where one of both does not vary. */
function correlation(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [meanOfNumbers(a), meanOfNumbers(b)];
  let [both, ownA, ownB] = [0, 0, 0];
  a.forEach((x, i) => {
    const [dA, dB] = [x - meanA, b[i]! - meanB];
    both += dA * dB;
    ownA += dA * dA;
    ownB += dB * dB;
  });
  return ownA > 0 && ownB > 0 ? both / Math.sqrt(ownA * ownB) : 0;
}
