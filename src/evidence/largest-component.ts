/**
 * The largest component of each site, by the Frobenius norm of its matrix: whether a decomposition is left with a big one that nobody can explain. Beside how
 * much of the weights it is stand how many ranks it has, on how many inputs it matters, and what it takes to write it down. What the components leave over is a
 * component too, and may be the largest; it matters on every input.
 *
 * What it does not say: that a large component is a bad one, for a mechanism may be large. It is to be held against the same of a network that has
 * not been trained.
 */
import { componentFactors, type Decomposition } from "../decomposition/decomposition.ts";
import { interpret, type NamedValues } from "../engine/index.ts";
import { einsum, square, sub, sum, type Tensor } from "../tensor/index.ts";
import { ALIVE_ABOVE } from "./alive.ts";

export interface LargestComponent {
  readonly address: string;
  /** `‖P‖² / ‖W‖²`, Frobenius; above 1 where components cancel. */
  readonly share: number;
  /** At most. */
  readonly rank: number;
  /** The part of the inputs on which its importance is above 0.1. */
  readonly density: number;
  /** What it costs to write down, at 32 bits a number. */
  readonly bits: number;
  /** `‖W - Σ P‖² / ‖W‖²`: as much is left over. */
  readonly remainder: number;
}

/**
 * Each site's, in float64.
 *
 * @param decomposition one whose components are parts of weight matrices
 * @param importances   `C batch` for each site, on the inputs that count
 */
export function largestComponents(
  decomposition: Decomposition,
  importances: NamedValues,
): Readonly<Record<string, LargestComponent>> {
  const { network, tensors, values, components, remainder, sites } = decomposition;
  return Object.fromEntries(
    sites.map((site): [string, LargestComponent] => {
      const W = network.matrix(tensors, site.name);
      const { V, U } = componentFactors(decomposition, site);
      const parts = einsum("d_in C m, C m d_out -> C d_in d_out", V, U) as Tensor;
      const squares = (matrix: Tensor): Tensor => sum(sum(square(matrix), "d_in"), "d_out");
      const found = interpret(
        { parts: squares(parts), whole: squares(W), left: squares(sub(W as Tensor, sum(parts, "C"))) },
        values,
      );
      const sizes = Array.from(found.parts.data);
      const [whole, left] = [found.whole.data[0]!, found.left.data[0]!];
      const own = components.filter((one) => one.site === site.name);
      const c = sizes.indexOf(Math.max(...sizes));
      const isLeftOver = left > sizes[c]!;
      const { address, rank, bits } = isLeftOver ? remainder.find((one) => one.site === site.name)! : own[c]!;
      const { data, shape } = importances[site.name]!;
      const rows = shape[1]!;
      const matters = Array.from(data.subarray(c * rows, (c + 1) * rows)).filter((g) => g > ALIVE_ABOVE).length;
      const density = isLeftOver ? 1 : matters / rows;
      return [
        site.name,
        { address, share: Math.max(sizes[c]!, left) / whole, rank, density, bits, remainder: left / whole },
      ];
    }),
  );
}
