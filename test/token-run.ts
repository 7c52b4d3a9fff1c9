/** A run of a small language model taken apart, made without the command line: a few steps of each, for tests of what comes after. */
import { decompose, type DecomposeDocument } from "../src/decomposition/methods.ts";
import { parameterSettings } from "../src/decomposition/parameter/settings.ts";
import { environment } from "../src/run/environment.ts";
import { RunFolder } from "../src/run/folder.ts";
import { resolveTarget, train } from "../src/training/targets.ts";

/** Makes the run's folder. The text has words that go together, so that components have something to fire on. */
export async function tokenRun(
  path: string,
  sites: string = "blocks.0.mlp.W_in,blocks.0.mlp.W_out",
): Promise<RunFolder> {
  const text = Array.from(
    { length: 120 },
    (_, i) => ["the cat sat. ", "a dog ran. ", "the dog sat. "][(i * 7) % 3],
  ).join("");
  const small = { context: 16, windows: 64, layers: 1, width: 16, heads: 2, mlpWidth: 32, batch: 8, steps: 150 };
  const target = resolveTarget("text", { preset: "quick", set: { ...small, text } });
  const { weights } = await train(target, { device: "cpu", threads: 1 });
  const settings = parameterSettings.parse({
    components: 8,
    batch: 8,
    steps: 30,
    warmupSteps: 20,
    learningRate: 1e-3,
    importanceMinimality: 1e-3,
    pStart: 1,
    pEnd: 1,
    sites,
  });
  const document: DecomposeDocument = { method: "spd", preset: "default", settings, target };
  const run = await RunFolder.create(
    path,
    { kind: "decompose", document, environment: environment("cpu", 1) },
    weights,
  );
  await decompose(document, weights, {
    device: "cpu",
    threads: 1,
    onCheckpoint: (checkpoint) => run.checkpoints.save(checkpoint),
  });
  await run.update({ status: "finished", result: {} });
  return run;
}
