/**
 * `node scripts/run.js bench/dictionary-step.ts --config sae|topk [--rows n] [--seconds n] [--threads n] [--profile prefix]`: one training step of
 * a sparse dictionary, 4096 latents of activations 256 wide, timed after a warm-up; one line of JSON. `reference/bench_dictionaries.py` is the same step in
 * PyTorch: rows from a table in memory, the loss, its gradients, the part along the decoder's rows taken out, Adam, the rows at length 1 again, and how many
 * latents are on. Dead latents have no loss of their own in it: in so short a run there are none.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { kindNamed } from "../src/decomposition/dictionary/kinds/kinds.ts";
import { compileStep, stepInputs, storeInputs } from "../src/decomposition/dictionary/train.ts";
import { dictionaryTraining } from "../src/decomposition/dictionary/training.ts";
import { METHODS } from "../src/decomposition/methods.ts";
import { values } from "../src/engine/index.ts";
import { settingsFrom } from "../src/settings.ts";
import { foldIn, keyFromSeed, randomNormal } from "../src/tensor/index.ts";

const { values: options } = parseArgs({
  options: {
    config: { type: "string", default: "topk" },
    rows: { type: "string", default: "2048" },
    seconds: { type: "string", default: "8" },
    threads: { type: "string", default: String(availableParallelism()) },
    profile: { type: "string" },
  },
});
const [WIDTH, LATENTS, TABLE] = [256, 4096, 16_384];
const OWN: Readonly<Record<string, object>> = {
  sae: { l1Coefficient: 5 },
  topk: { k: 32, auxCoefficient: 0 },
  "topk-aux": { k: 32 },
  gated: { l1Coefficient: 5 },
  jumprelu: {},
  batchtopk: { k: 32, auxCoefficient: 0 },
};
const [method] = options.config.split("-");
const batch = Number(options.rows);
const settings = settingsFrom(method!, METHODS[method!]!.schema, {
  ...{ C: LATENTS, batch, steps: 1_000_000, lrWarmUp: 0 },
  ...OWN[options.config],
}) as never;
const point = { name: "x", width: WIDTH };
const key = keyFromSeed(0);
const data = randomNormal(foldIn(key, "rows"), TABLE * WIDTH);
const table = storeInputs({ x: values("row d", [TABLE, WIDTH], data) });
const training = dictionaryTraining(
  [{ site: "x", reads: point, writes: point, C: LATENTS }],
  kindNamed(method!),
  settings,
);
const state = training.first({ x: values("row d", [64, WIDTH], data.slice(0, 64 * WIDTH)) }, key);
const stepper = await compileStep({ training, settings }, state, table, {
  threads: Number(options.threads),
  ...(options.profile && { profile: options.profile }),
});
const inputs = stepInputs(training, settings, key, Math.floor(TABLE / batch));
const times: number[] = [];
let step = 0;
const cpu = (): number => process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000;
for (let i = 0; i < 3; i++) await stepper.advance([inputs(step++)]);
const [began, cpuBefore] = [performance.now(), cpu()];
let last: Record<string, Float32Array> = {};
while (performance.now() - began < 1000 * Number(options.seconds)) {
  const from = performance.now();
  last = await stepper.advance([inputs(step++)]);
  times.push(performance.now() - from);
}
const cpuMs = cpu() - cpuBefore;
times.sort((a, b) => a - b);
const msPerStep = times[times.length >> 1]!;
console.log(
  JSON.stringify({
    msPerStep,
    leastMs: times[0],
    cpuMsPerStep: cpuMs / times.length,
    rowsPerSecond: (1000 * batch) / msPerStep,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    loss: last.loss![0],
    l0: last.l0![0],
  }),
);
await stepper.dispose();
