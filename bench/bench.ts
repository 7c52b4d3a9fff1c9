/**
 * `npm run bench -- [--json] [--config name] [--threads n] [--seconds n] [--components n] [--batch n] [--context n]`: steps a second, milliseconds a step, peak memory and the share
 * of the time outside ONNX Runtime, for each of the published presets' steps, each in a process of its own.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { benchmarkStep, type StepBenchmark } from "./step.ts";
import { CONFIGS } from "./step-subject.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    config: { type: "string" },
    threads: { type: "string", default: String(availableParallelism()) },
    seconds: { type: "string", default: "6" },
    profile: { type: "string" },
    components: { type: "string" },
    batch: { type: "string" },
    context: { type: "string" },
  },
});

if (values.config !== undefined) {
  const result = await benchmarkStep(values.config, {
    threads: Number(values.threads),
    seconds: Number(values.seconds),
    ...(values.profile !== undefined && { profile: values.profile }),
    ...(values.components !== undefined && { components: Number(values.components) }),
    ...(values.batch !== undefined && { batch: Number(values.batch) }),
    ...(values.context !== undefined && { context: Number(values.context) }),
  });
  console.log(JSON.stringify(result));
} else {
  const results = CONFIGS.map((config): StepBenchmark => {
    const args = ["--config", config, "--threads", values.threads, "--seconds", values.seconds];
    return JSON.parse(
      execFileSync(process.execPath, [fileURLToPath(import.meta.url), ...args], { encoding: "utf8" }),
    ) as StepBenchmark;
  });
  if (values.json) console.log(JSON.stringify({ schema: 1, results }));
  else for (const result of results) console.log(line(result));
}

function line(result: StepBenchmark): string {
  const { config, msPerStep, stepsPerSecond, peakMemoryBytes, outsideShare, threads } = result;
  return [
    config.padEnd(12),
    `${msPerStep.toFixed(2)} ms/step`.padStart(16),
    `${stepsPerSecond.toFixed(1)} steps/s`.padStart(16),
    `${(peakMemoryBytes / 2 ** 20).toFixed(0)} MiB peak`.padStart(15),
    `${(100 * outsideShare).toFixed(1)} % outside kernels`.padStart(24),
    `${threads} threads`.padStart(12),
  ].join("");
}
