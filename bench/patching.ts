/**
 * `npm run bench:patching -- [--json] [--threads n] [--seconds n] [--examples n] [--positions n] [--batch n] [--memory-mib n]`: a forward
 * pass that keeps every activation, and the sweep that patches the residual stream of each layer at each position, on a random
 * transformer of 4 layers, 256 wide, 8 heads, 1024 in the MLP, 128 tokens and 4096 words with layer norm. `reference/bench_patching.py`
 * is the same with TransformerLens.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type NamedValues, values } from "../src/engine/index.ts";
import { logitDifference } from "../src/intervention/metrics.ts";
import { patch } from "../src/intervention/patching.ts";
import { RunnableNetwork, tokenValues } from "../src/network/run.ts";
import { toyTransformer } from "../src/network/transformer/config.ts";
import { transformer } from "../src/network/transformer/transformer.ts";
import { foldIn, keyFromSeed, randomBits, randomNormal } from "../src/tensor/index.ts";

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    threads: { type: "string", default: String(availableParallelism()) },
    seconds: { type: "string", default: "8" },
    examples: { type: "string", default: "4" },
    positions: { type: "string", default: "128" },
    batch: { type: "string", default: "8" },
    "memory-mib": { type: "string", default: "256" },
  },
});
const [VOCAB, LENGTH] = [4096, 128];
const network = transformer(
  toyTransformer({
    vocab: VOCAB,
    context: LENGTH,
    layers: 4,
    dModel: 256,
    heads: 8,
    dMlp: 1024,
    activation: "gelu",
    norm: "layer",
    bias: true,
  }),
);
const key = keyFromSeed(0);
const weights: NamedValues = Object.fromEntries(
  network.weights.map(({ name, axes, shape }) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const draws = randomNormal(foldIn(key, name), size).map((x) => x * 0.02);
    return [name, values(axes, shape, /ln\w*\.w$/.test(name) ? draws.map((x) => 1 + x) : draws)];
  }),
);
const threads = Number(options.threads);
const runnable = new RunnableNetwork(network, weights, { threads });

const rows = (name: string, count: number): number[][] => {
  const words = Array.from(randomBits(foldIn(key, name), count * LENGTH), (bits) => bits % VOCAB);
  return Array.from({ length: count }, (_, i) => words.slice(i * LENGTH, (i + 1) * LENGTH));
};

interface Row {
  readonly what: string;
  readonly backend: "mechanist";
  readonly threads: number;
  readonly ms: number;
  readonly repeats: number;
  readonly detail: string;
}

const results: Row[] = [await forward(), await sweep()];
const peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
if (options.json) console.log(JSON.stringify({ schema: 1, results, peakMemoryBytes }));
else {
  for (const { what, ms, repeats, detail } of results) {
    console.log(
      `${what.padEnd(24)}${ms.toFixed(1).padStart(10)} ms  (${detail}; median of ${repeats}, ${threads} threads)`,
    );
  }
  console.log(`peak memory ${(peakMemoryBytes / 2 ** 20).toFixed(0)} MiB`);
}
await runnable.dispose();

/** The median time of something, after it was done once. */
async function timed(work: () => Promise<unknown>): Promise<{ ms: number; repeats: number }> {
  await work();
  const times: number[] = [];
  for (
    const began = performance.now();
    times.length < 3 || performance.now() - began < Number(options.seconds) * 1000;
  ) {
    const before = performance.now();
    await work();
    times.push(performance.now() - before);
  }
  times.sort((a, b) => a - b);
  return { ms: times[times.length >> 1]!, repeats: times.length };
}

async function forward(): Promise<Row> {
  // What TransformerLens keeps unless asked for more: not each head's share of the output, not each head's own copy of the stream.
  const points = runnable
    .points((name) => !/hook_(result|[qkv]_input|mlp_in|out)$|unembed/.test(name))
    .map(({ name }) => name);
  const x = tokenValues(rows("forward", Number(options.batch)));
  const time = await timed(() => runnable.run(x, { cache: points }));
  return {
    what: "forward, full cache",
    backend: "mechanist",
    threads,
    ...time,
    detail: `${options.batch} rows, ${points.length} activations kept`,
  };
}

async function sweep(): Promise<Row> {
  const n = Number(options.examples);
  const [clean, corrupt] = ["clean", "corrupt"].map((name) => ({ name, x: tokenValues(rows(name, n)) }));
  const metric = logitDifference({
    answer: Array.from({ length: n }, (_, i) => i),
    against: Array.from({ length: n }, (_, i) => i + 100),
  });
  // The sweep "resid-pre", or its last positions.
  const positions = Array.from({ length: LENGTH }, (_, p) => p).slice(-Number(options.positions));
  const variants = [0, 1, 2, 3].flatMap((layer) =>
    positions.map((p) => ({ point: `blocks.${layer}.hook_resid_pre`, at: { pos: [p] } })),
  );
  let cells = 0;
  const memoryBytes = Number(options["memory-mib"]) * 2 ** 20;
  const time = await timed(async () => {
    const contrast = { clean: clean!, corrupt: corrupt!, direction: "denoise" as const };
    cells = (await patch(runnable, contrast, { variants, metric, memoryBytes })).rows.length;
  });
  return {
    what: "patching sweep",
    backend: "mechanist",
    threads,
    ...time,
    detail: `${cells} cells, ${n} examples`,
  };
}
