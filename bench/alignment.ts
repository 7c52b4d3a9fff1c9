/**
 * `npm run science:alignment -- [--seeds n] [--from s] [--steps n] [--preset name]`: interchange interventions on hierarchical equality. For each seed a network
 * is trained, and at each hidden layer the variable "a = b" is searched for in one dimension and in half of them, with the controls: a subspace in
 * a random direction, the same search in the network before training, the same search on shuffled labels. One line a search on standard
 * output and in `docs/results/alignment.jsonl`.
 */
import { appendFileSync, mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { CAUSAL_MODELS } from "../src/decomposition/baselines/causal-models.ts";
import { controlledAlignment } from "../src/intervention/alignment/controls.ts";
import type { InterchangeAccuracy, Pairs } from "../src/intervention/alignment/interchange.ts";
import { resolveTarget, targetNamed, train } from "../src/training/targets.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "3" },
    from: { type: "string", default: "0" },
    steps: { type: "string", default: "3000" },
    preset: { type: "string", default: "default" },
    threads: { type: "string", default: String(availableParallelism()) },
    point: { type: "string", multiple: true },
  },
});

/** Fresh pairs that each accuracy is measured on. */
const MEASURED_ON = 10_000;
const DIMENSIONS = 4;

const model = CAUSAL_MODELS["hierarchical-equality"]!;
const { readout } = model;
const pairs = (batch: number): Pairs => model.pairs({ dimensions: DIMENSIONS, steps: 0, seed: 0 }, "left", batch);

const percent = ({ accuracy, interval }: InterchangeAccuracy): string =>
  `${accuracy.toFixed(3)} [${interval.map((x) => x.toFixed(3)).join(", ")}]`;

mkdirSync("docs/results", { recursive: true });
for (let i = 0; i < Number(values.seeds); i++) {
  const seed = Number(values.from) + i;
  const options = { threads: Number(values.threads) };
  const document = resolveTarget("hierarchical-equality", { preset: values.preset, set: { seed } });
  const { weights, metrics } = await train(document, options);
  const untrained = await train(
    resolveTarget("hierarchical-equality", { preset: values.preset, set: { seed, steps: 1, learningRate: 1e-12 } }),
    options,
  );
  const network = targetNamed("hierarchical-equality").network(document.settings);
  const points = values.point ?? network.points.map(({ name }) => name).filter((name) => name.endsWith("hook_post"));
  console.log(`seed ${seed}: test accuracy ${metrics.testAccuracy!.toFixed(4)}`);
  for (const point of points) {
    const axis = network.points
      .find(({ name }) => name === point)!
      .axes.split(" ")
      .at(-1)!;
    const d = Number(document.settings.hidden);
    for (const k of [1, d / 2]) {
      const began = performance.now();
      const search = {
        network,
        weights,
        point,
        axis,
        d,
        k,
        pairs,
        readout,
        batch: 1024,
        steps: Number(values.steps),
        learningRate: 1e-2,
        seed,
      };
      const { subspace: _, ...found } = await controlledAlignment(
        search,
        { untrained: untrained.weights, n: MEASURED_ON },
        options,
      );
      const seconds = (performance.now() - began) / 1000;
      const row = {
        experiment: "alignment",
        preset: values.preset,
        seed,
        point,
        k,
        steps: search.steps,
        testAccuracy: metrics.testAccuracy,
        ...found,
        seconds,
      };
      appendFileSync("docs/results/alignment.jsonl", `${JSON.stringify(row)}\n`);
      const cells = Object.entries(found).map(([name, accuracy]) => `${name} ${percent(accuracy)}`);
      console.log(`  ${point} k ${k}: ${cells.join("  ")}  ${seconds.toFixed(0)} s`);
    }
  }
}
