/**
 * `node scripts/run.js bench/step-check.ts --config lm-tiny --out file`: the first steps of a benchmark with everything that went into them,
 * for `python reference/bench_spd.py --config lm-tiny --check file`, which takes the same steps and compares losses. A peer that computed
 * something else would be no peer.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { compile, type NamedValues, values } from "../src/engine/index.ts";
import { drawUniform } from "../src/engine/randomness.ts";
import { writeSafetensors } from "../src/file/safetensors.ts";
import { slotsAskedFor } from "../src/decomposition/parameter/optimisation/slots.ts";
import { type Key } from "../src/tensor/index.ts";
import { readyStep, rowsOfBatch } from "./step.ts";
import { stepSubject } from "./step-subject.ts";

const { values: options } = parseArgs({
  options: { config: { type: "string" }, out: { type: "string" }, steps: { type: "string", default: "3" } },
});
const subject = await stepSubject(options.config!, {}, 1);
const { target, settings } = subject;
const { stepper, start, inputsAt } = await readyStep(subject, { threads: 1 });
const x = target.batch(settings.batch);
const { example, pos } = rowsOfBatch(x);
const rows = example * pos;
const slots = slotsAskedFor(target.network, settings);
const data = await compile({ x });
const found: Record<string, NamedValues[string]> = {};

/** Every draw that a step may take, by name; the peer takes those that it wants. */
function draws(key: Key): NamedValues {
  const one = (name: string, axes: string, shape: readonly number[]): [string, NamedValues[string]] => [
    name,
    values(axes, shape, drawUniform(key, name, new Float32Array(shape.reduce((a, b) => a * b)))),
  ];
  const sites = slots.flatMap(({ site: { name }, C }) =>
    ["stochastic", "layerwise", "subset"].flatMap((run) => [
      one(`${run}/${name}`, "C batch", [C, rows]),
      one(`${run}/${name}/delta`, "batch", [rows]),
    ]),
  );
  return Object.fromEntries([
    ...sites,
    one("subset/route", "site batch", [slots.length, rows]),
    one("subset/route/count", "batch", [rows]),
  ]);
}

for (let step = 0; step < Number(options.steps); step++) {
  const inputs = inputsAt(step);
  const under = (prefix: string, named: NamedValues): void => {
    for (const [name, tensor] of Object.entries(named)) found[`${step}/${prefix}/${name}`] = tensor;
  };
  under("draw", draws(inputs.key));
  under("data", await data.run(target.tables ?? {}, inputs.key));
  const metrics = await stepper.advance([inputs]);
  under("metric", Object.fromEntries(Object.entries(metrics).map(([name, of]) => [name, values("", [], of)])));
  const stepSize = inputs.scalars["adversary.stepSize/0"];
  // Adam's rate before its correction for the first of three ascents.
  if (stepSize !== undefined)
    under("rate", { adversary: values("", [], [stepSize * (1 - settings.persistentBeta1 ** (3 * step + 1))]) });
  under("rate", { main: values("", [], [inputs.scalars.learningRate!]) });
}
for (const [name, tensor] of Object.entries(target.weights)) found[`weight/${name}`] = tensor;
for (const [name, tensor] of Object.entries(start)) found[`start/${name}`] = tensor;
writeFileSync(options.out!, writeSafetensors(found));
await stepper.dispose();
