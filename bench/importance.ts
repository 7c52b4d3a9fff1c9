/**
 * `node scripts/run.js bench/importance.ts [--json] [--kind name] [--components n,n] [--rows n,n] [--seconds n] [--threads n] [--memory gigabytes]`: what
 * predicting importances costs, alone: pre-activations of the 12 sites of a transformer (2 layers, 128 wide, 512 in the MLP) and the gradient by
 * all weights of what predicts them, in sequences of 128, by kind, components a site and rows. Each measurement is a process of its own.
 *
 * Times are of the processor, not of the clock, so that what else runs counts as little as may be: with one thread they are the same when
 * nothing else does. A scalar gate's inner activations, which the network's clean run makes, are given.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { z } from "zod";
import type { SeenSite } from "../src/decomposition/parameter/importance/importance.ts";
import { importanceFunction } from "../src/decomposition/parameter/importance/function.ts";
import { importanceSettings } from "../src/decomposition/parameter/importance/settings.ts";
import { compile, type NamedValues, simplify, values } from "../src/engine/index.ts";
import { weightInputs } from "../src/network/network.ts";
import { toyTransformer } from "../src/network/transformer/config.ts";
import { transformer } from "../src/network/transformer/transformer.ts";
import {
  add,
  axisNames,
  foldIn,
  gradients,
  input,
  keyFromSeed,
  randomUniform,
  sizeOf,
  sizesOf,
  square,
  sum,
  type Tensor,
} from "../src/tensor/index.ts";
import { inTopologicalOrder } from "../src/tensor/traverse.ts";

const kinds = importanceSettings.importance.unwrap().options;

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    kind: { type: "string", default: kinds.join(",") },
    components: { type: "string", default: "64,128,256,512" },
    rows: { type: "string", default: "1024,2048,4096,8192" },
    seconds: { type: "string", default: "2" },
    threads: { type: "string", default: "1" },
    memory: { type: "string", default: "8" },
    one: { type: "boolean", default: false },
  },
});

interface Cost {
  readonly kind: string;
  readonly components: number;
  readonly rows: number;
  /** Milliseconds of the processor: the least of the calls. Absent where the program would take more memory than allowed. */
  readonly ms?: number;
  /** 10^9 additions and multiplications of matrix products. */
  readonly gigaflop: number;
  readonly weights: number;
  readonly peakMemoryBytes?: number;
}

const SEQUENCE = 128;

async function measure(kind: string, components: number, rows: number): Promise<Cost> {
  const network = transformer(
    toyTransformer({ vocab: 8, context: SEQUENCE, layers: 2, dModel: 128, heads: 4, dMlp: 512 }),
  );
  const slots = network.sites.map((site) => ({ site, C: components }));
  const importance = importanceFunction(z.strictObject(importanceSettings).parse({ importance: kind }), network);
  const specs = importance.weights(slots);
  const weights = weightInputs(specs);
  const [batch, pos] = [rows / SEQUENCE, SEQUENCE];
  const seen = slots.map(({ site, C }): SeenSite => {
    const activation = input(site.name, "batch pos d_in", { batch, pos, d_in: site.dIn });
    return { site, C, activation, inner: input(`${site.name}/inner`, "C batch", { C, batch: rows }) };
  });
  const predicted = Object.values(importance.preactivations(weights, seen, {}));
  // Squared once more, so that no gradient can be had before all importances are there, as in a step.
  const loss = square(predicted.map((t) => sum(square(t))).reduce((a, b) => add(a, b)));
  const slopes = gradients(
    loss,
    specs.map(({ name }) => weights[name]!),
  );
  const program = { loss, slope: slopes.map((slope) => sum(square(slope))).reduce((a, b) => add(a, b)) };
  const nodes = inTopologicalOrder(Object.values(simplify(program)));
  const cost = {
    kind,
    components,
    rows,
    gigaflop: nodes.reduce((total, x) => total + flop(x), 0) / 1e9,
    weights: specs.reduce((total, { shape }) => total + sizeOf(shape), 0),
  };
  // What is kept for the gradient, at the least: everything as large as a hidden layer, three times.
  const hidden = kind === "gate" || kind === "vector-mlp" ? 3 * 16 * components * slots.length * rows * 4 : 0;
  if (hidden > Number(options.memory) * 1e9) return cost;
  const inputs = nodes.filter((x) => x.op === "input");
  const key = keyFromSeed(0);
  const start = importance.start(slots, key);
  const feeds: NamedValues = Object.fromEntries(
    inputs.map((x) => {
      const { name } = x.attributes as { name: string };
      return [name, start[name] ?? values(x.axes, x.shape, randomUniform(foldIn(key, name), sizeOf(x.shape)))];
    }),
  );
  const executable = await compile(program, { threads: Number(options.threads) });
  const times: number[] = [];
  for (
    const began = performance.now();
    performance.now() - began < Number(options.seconds) * 1000 || times.length < 4;
  ) {
    const before = process.cpuUsage();
    await executable.run(feeds);
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
  }
  await executable.dispose();
  return { ...cost, ms: Math.min(...times.slice(1)), peakMemoryBytes: process.resourceUsage().maxRSS * 1024 };
}

/** Of a product with summed axes; anything else is counted as none. */
function flop(x: Tensor): number {
  if (x.op !== "einsum") return 0;
  const sizes = Object.assign({}, ...x.inputs.map(sizesOf)) as Record<string, number>;
  const axes = Object.keys(sizes);
  return axes.length > axisNames(x.axes).length ? 2 * sizeOf(Object.values(sizes)) : 0;
}

const list = (text: string): number[] => text.split(",").map(Number);

if (options.one) {
  console.log(JSON.stringify(await measure(options.kind, Number(options.components), Number(options.rows))));
} else {
  const results: Cost[] = [];
  for (const kind of options.kind.split(",")) {
    for (const components of list(options.components)) {
      for (const rows of list(options.rows)) {
        const { seconds, threads, memory } = options;
        const size = ["--kind", kind, "--components", String(components), "--rows", String(rows)];
        const args = ["--one", ...size, "--seconds", seconds, "--threads", threads, "--memory", memory];
        const out = execFileSync(process.execPath, [fileURLToPath(import.meta.url), ...args], { encoding: "utf8" });
        results.push(JSON.parse(out) as Cost);
        if (!options.json) console.log(line(results.at(-1)!));
      }
    }
  }
  if (options.json) console.log(JSON.stringify({ schema: 1, threads: Number(options.threads), results }));
}

function line({ kind, components, rows, ms, gigaflop, weights, peakMemoryBytes = 0 }: Cost): string {
  const time = ms === undefined ? "over the memory allowed" : `${ms.toFixed(0)} ms`;
  return [
    kind.padEnd(22),
    `C ${components}`.padStart(6),
    `${rows} rows`.padStart(10),
    time.padStart(24),
    `${ms === undefined ? "–" : ((1000 * gigaflop) / ms).toFixed(0)} GFLOP/s`.padStart(14),
    `${(peakMemoryBytes / 2 ** 20).toFixed(0)} MiB`.padStart(10),
    `${(weights / 1e6).toFixed(2)} M weights`.padStart(16),
  ].join("");
}
