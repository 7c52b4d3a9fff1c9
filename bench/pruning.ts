/**
 * `node scripts/run.js bench/pruning.ts [--target tms-40-10] [--steps n] [--threads n] [--at fraction] [--every fraction]`: processor time a step in
 * each tenth of a run of our default settings, with pruning of slots and without, and the slots that are left; pruning itself and compiling
 * anew are in the time of the whole run alone.
 */
import { parseArgs } from "node:util";
import { decomposeParameters } from "../src/decomposition/parameter/run.ts";
import { parameterSettings } from "../src/decomposition/parameter/settings.ts";
import { ownPresets } from "../src/decomposition/parameter/presets/spd.ts";
import type { NamedValues } from "../src/engine/index.ts";
import { resolveTarget, targetNamed, train } from "../src/training/targets.ts";

const { values: options } = parseArgs({
  options: {
    target: { type: "string", default: "tms-40-10" },
    steps: { type: "string", default: "4000" },
    threads: { type: "string", default: "1" },
    at: { type: "string", default: "0.3" },
    every: { type: "string", default: "0.1" },
  },
});
const threads = Number(options.threads);
const steps = Number(options.steps);
const kind = options.target.startsWith("tms") ? "tms" : "resid-mlp";
const document = resolveTarget(kind, { preset: options.target });
const { weights } = await train(document, { threads });
const target = targetNamed(kind);
const network = target.network(document.settings);
const subject = { network, weights, batch: (size: number) => target.batch("data", document.settings, size) };

/** How many slots of each site are not all zeros. */
function slotsLeft(tensors: NamedValues): string {
  return network.sites
    .map(({ name }) => {
      const { shape, data } = tensors[`${name}.U`]!;
      const [C, dOut] = shape as [number, number];
      const used = Array.from({ length: C }, (_, c) => data.subarray(c * dOut, (c + 1) * dOut).some((x) => x !== 0));
      return used.filter(Boolean).length;
    })
    .join(" ");
}

for (const pruneBelow of [0, 1e-4]) {
  const settings = parameterSettings.parse({
    ...ownPresets(network).default.settings,
    ...{ steps, pruneBelow, pruneAt: Number(options.at), pruneEvery: Number(options.every) },
  });
  const worked = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  const began = worked();
  const curve: string[] = [];
  let rows: { step: number; at: number }[] = [];
  await decomposeParameters(subject, settings, {
    threads,
    metricsEvery: Math.max(1, Math.floor(steps / 100)),
    checkpointEvery: Math.max(1, steps / 10),
    onMetrics: ({ step }) => void rows.push({ step, at: worked() }),
    onCheckpoint: ({ tensors }) => {
      // From the first row of a tenth to its last: pruning and compiling lie between tenths.
      const [first, last] = [rows[0]!, rows.at(-1)!];
      curve.push(`${((last.at - first.at) / (last.step - first.step)).toFixed(1)} (${slotsLeft(tensors)})`);
      rows = [];
    },
  });
  const whole = ((worked() - began) / 1000).toFixed(0);
  console.log(
    `${options.target} pruneBelow ${pruneBelow}: processor ms a step in each tenth (slots then left): ${curve.join(", ")}`,
  );
  console.log(`  all of it ${whole} s of the processor, ${steps} steps`);
}
