/**
 * Units by a gradient, the same for every family: how much of the divergence goes away as all components are brought in together, from none to all, and
 * how much of that is each one's, row by row (integrated gradients, Sundararajan, Taly & Yan 2017, along masks):
 *
 *   a = - ∫ ∂D / ∂m dt  on the path m = t, in four steps, the remainder out
 *
 * The sum over all units is what all components together take away from the divergence. What it does not establish: what happens off that path.
 */
import { type NamedValues, scalarValue, values } from "../../engine/index.ts";
import { add, axisSize, constant, gradients, input, type Key, mul, sum, type Tensor } from "../../tensor/index.ts";
import { otherOf } from "./controls.ts";
import { promptDivergence } from "./divergence.ts";
import type { Ranker, Trial } from "./trial.ts";

const STEPS = 4;

export function byGradient(trial: Trial): Ranker {
  const { probe, subject } = trial;
  const sites = Object.keys(trial.scores);
  const program = () => {
    const t = input("path", "", {});
    // A tensor of its own at each site, for the gradient to be taken at.
    const masks = Object.fromEntries(
      sites.map((site) => {
        const sizes = { C: axisSize(trial.scores[site]!, "C"), batch: trial.rows[site]! };
        return [site, mul(add(constant("C batch", sizes, 1), 0), t) as Tensor<"C batch">];
      }),
    );
    const said = subject.decomposition.masked(probe.x, masks);
    const total = sum(promptDivergence(probe.network, said, probe.output)) as Tensor;
    const slopes = gradients(
      total,
      sites.map((site) => masks[site]!),
    );
    return Object.fromEntries(sites.map((site, i): [string, Tensor] => [`score/${site}`, slopes[i]!]));
  };
  return trial.remembering(async (batch) => {
    const { feeds, key } = await trial.fed(batch);
    const executable = await trial.program("gradient", program);
    const totals = new Map<string, Float32Array>();
    for (let step = 0; step < STEPS; step++) {
      probe.options.signal?.throwIfAborted();
      const found: NamedValues = await executable.run({ ...feeds, path: scalarValue((step + 0.5) / STEPS) }, key);
      for (const [name, { data }] of Object.entries(found)) {
        const into = totals.get(name) ?? new Float32Array(data.length);
        totals.set(name, into);
        data.forEach((slope, i) => (into[i]! -= slope / STEPS));
      }
    }
    return Object.fromEntries(
      sites.map((site) => {
        const shape = [axisSize(trial.scores[site]!, "C"), trial.rows[site]!];
        return [`score/${site}`, values("C batch", shape, totals.get(`score/${site}`)!)];
      }),
    );
  });
}

/** Its control: the same numbers credited to other components of the same site, as `permutedControl` does with activities. */
export function byPermutedGradient(trial: Trial, key: Key): Ranker {
  const own = byGradient(trial);
  return trial.remembering(async (batch) => {
    const found = await own.scores(batch);
    return Object.fromEntries(
      Object.entries(trial.scores).map(([site, score]) => {
        const [C, rows] = [axisSize(score, "C"), trial.rows[site]!];
        const { data } = found[`score/${site}`]!;
        const moved = new Float32Array(C * rows);
        otherOf(key, site, C).forEach((from, c) =>
          moved.set(data.subarray(from * rows, (from + 1) * rows) as Float32Array, c * rows),
        );
        return [`score/${site}`, values("C batch", [C, rows], moved)];
      }),
    );
  });
}
