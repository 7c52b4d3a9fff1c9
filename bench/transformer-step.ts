/**
 * `npm run bench:transformer -- [--seconds n] [--threads n] [--profile prefix]`: one AdamW step of a language model, timed
 * after a warm-up: 2 layers, 256 wide, 8 heads, 1024 in the MLP, 128 tokens, 4096 words, 8 rows a batch, layer norm, GELU.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { values } from "../src/engine/index.ts";
import { toyTransformer } from "../src/network/transformer/config.ts";
import { transformer } from "../src/network/transformer/transformer.ts";
import {
  axisSize,
  cast,
  crossEntropy,
  floor,
  foldIn,
  keyFromSeed,
  mean,
  mul,
  randomNormal,
  slice,
  type Tensor,
  uniform,
} from "../src/tensor/index.ts";
import { adamWScalars } from "../src/training/adamw.ts";
import { compileOptimisation } from "../src/training/optimise.ts";
import { layoutOf } from "../src/training/parameters.ts";

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "8" },
    threads: { type: "string", default: String(availableParallelism()) },
    profile: { type: "string" },
  },
});

const network = transformer(
  toyTransformer({
    vocab: 4096,
    context: 128,
    layers: 2,
    dModel: 256,
    heads: 8,
    dMlp: 1024,
    activation: "gelu",
    norm: "layer",
    bias: true,
  }),
);
const key = keyFromSeed(0);
const start = Object.fromEntries(
  network.weights.map(({ name, axes, shape }) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const ones = /ln\w*\.w$/.test(name);
    const zero = /\.b(_\w+)?$/.test(name);
    const data = ones
      ? new Float32Array(size).fill(1)
      : zero
        ? new Float32Array(size)
        : randomNormal(foldIn(key, name), size).map((x) => x * 0.02);
    return [name, values(axes, shape, data)];
  }),
);
const drawn = uniform("tokens", "batch pos", { batch: 8, pos: 128 });
const tokens = cast(floor(mul(drawn, 4096)), "i32") as Tensor;
const stepper = await compileOptimisation(
  {
    layout: layoutOf(network.weights),
    start,
    objective: (weights) => {
      const logits = network.forward(weights, tokens);
      const T = axisSize(logits, "pos");
      const predictions = slice(logits, "pos", 0, T - 1) as Tensor<"batch pos vocab">;
      const next = slice(tokens as Tensor<"batch pos">, "pos", 1, T);
      return { loss: mean(crossEntropy(predictions, next, "vocab")) as Tensor<""> };
    },
    adamW: { weightDecay: 0.01 },
  },
  {
    threads: Number(options.threads),
    stepsPerCall: 1,
    ...(options.profile !== undefined && { profile: options.profile }),
  },
);
let step = 0;
const times: number[] = [];
let loss = 0;
for (const began = performance.now(); step < 8 || performance.now() - began < Number(options.seconds) * 1000; step++) {
  const before = performance.now();
  const row = await stepper.advance([{ key: foldIn(key, step), scalars: adamWScalars(step + 1, 1e-3) }]);
  if (step >= 3) times.push(performance.now() - before);
  loss = row.loss![0]!;
}
times.sort((a, b) => a - b);
const { timing } = stepper;
console.log(
  JSON.stringify({
    config: "transformer-2-256",
    backend: "mechanist",
    threads: Number(options.threads),
    msPerStep: times[times.length >> 1],
    steps: times.length,
    loss,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    outsideShare: 1 - timing.session / timing.total,
  }),
);
await stepper.dispose();
