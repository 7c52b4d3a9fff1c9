/** Steering and saliency, for `mechanist look`. */
import { saliency } from "../../instrument/saliency.ts";
import { saliencyChecks } from "../../instrument/saliency-checks.ts";
import { meanDifference, steeringSpread } from "../../instrument/steering-vector.ts";
import { MechanistError } from "../../error.ts";
import { countOf } from "../../intervention/examples.ts";
import { type Examples, logitDifference, logProbability, type Metric } from "../../intervention/index.ts";
import { tokenValues } from "../../network/run.ts";
import { foldIn } from "../../tensor/index.ts";
import { significant } from "../format.ts";
import type { Instrument } from "./instruments.ts";
import { answersOf } from "./lenses.ts";
import { examplesOf, expectPrompt, idsOf, pointOf, type Subject } from "./subject.ts";

const number = (x: number): string => significant(x, 3);

async function metricOf(subject: Subject, examples: Examples): Promise<Metric> {
  const { answer, against } = await answersOf(subject, examples);
  return against === undefined ? logProbability({ answer }) : logitDifference({ answer, against });
}

/** How often the vector is added. */
const COEFFICIENTS = [-1, 0.5, 1, 2];

export const steeringInstrument: Instrument = {
  summary: "what a vector does when it is added, and on how many examples it does the opposite",
  takes: "a prompt, or the run's data; --towards and --away <prompt>, --answer, --against, --point",
  look: async (subject) => {
    const { runnable, key, signal, options } = subject;
    const set = (option: "towards" | "away"): Examples => {
      const given = options[option];
      if (given === undefined) throw new MechanistError("BadArgument", `--${option}: expected a prompt, got none`);
      return { name: option, x: tokenValues([idsOf(subject, option, given)]) };
    };
    const [towards, away] = [set("towards"), set("away")];
    const base = await examplesOf(subject);
    const point = pointOf(subject);
    const vector = await meanDifference(runnable, { towards, away, point, position: "last" }, { signal });
    const metric = await metricOf(subject, base);
    const found = await steeringSpread(
      runnable,
      base,
      { point, vector, coefficients: COEFFICIENTS, metric, key },
      { signal },
    );
    const warnings = found.rows.flatMap(({ coefficient, warning }) =>
      warning === null ? [] : [`${coefficient} times: ${warning}`],
    );
    return {
      found: { ...found },
      head: ["times", "mean", "deviation", "the other way", "random vectors"],
      rows: found.rows.map((row) => [
        String(row.coefficient),
        ...[row.mean, row.deviation, row.antiSteerable].map(number),
        `${number(row.random.mean)} ± ${number(row.random.deviation)}`,
      ]),
      notes: [
        `${found.metric.name} (${found.metric.unit}), a vector of length ${number(found.length)} at ${found.point}`,
        ...warnings,
      ],
    };
  },
};

export const saliencyInstrument: Instrument = {
  summary: "how much each token moves the answer, by gradients, and whether the map depends on the weights at all",
  takes: "a prompt; --answer, --against, --point",
  look: async (subject) => {
    const { runnable, key, signal, text, options } = subject;
    const prompt = expectPrompt(subject);
    const metric = await metricOf(subject, prompt);
    const point = options.point === undefined ? "hook_embed" : runnable.point(options.point).name;
    const found = await saliency(runnable, prompt, { point, metric }, { signal });
    const checks = await saliencyChecks(
      runnable,
      prompt,
      { point, metric, key: foldIn(key, "randomised"), steps: 10 },
      { signal },
    );
    const pos = prompt.x.shape[1]!;
    if (found.value.shape[1] !== pos) {
      throw new MechanistError(
        "BadArgument",
        `saliency: expected a point with a vector at each position, got ${point}`,
      );
    }
    const size = found.value.data.length / pos / countOf(prompt);
    const over = (data: ArrayLike<number>, p: number, of: (x: number) => number): number => {
      let total = 0;
      for (let i = 0; i < size; i++) total += of(data[p * size + i]!);
      return total;
    };
    const positions = Array.from({ length: pos }, (_, position) => ({
      position,
      token: prompt.x.data[position]!,
      gradientLength: Math.sqrt(over(found.maps.gradient.data, position, (x) => x * x)),
      gradientTimesInput: over(found.maps.gradientTimesInput.data, position, (x) => x),
      integratedGradients: over(found.maps.integratedGradients.data, position, (x) => x),
    }));
    const { n, counted, doesNotEstablish, nullDescription, output, baselineOutput, completenessError, steps } = found;
    const line = ({ downTo, correlation }: (typeof checks.randomised)[number]): string =>
      `${downTo} ${number(correlation.gradient.sizes)}, ${number(correlation.gradientTimesInput.sizes)}, ${number(correlation.integratedGradients.sizes)}`;
    return {
      found: {
        point,
        positions,
        output,
        baselineOutput,
        completenessError,
        steps,
        randomised: checks.randomised,
        shifted: checks.shifted,
        n,
        counted,
        doesNotEstablish,
        nullDescription,
      },
      head: ["position", "token", "gradient's length", "times input", "integrated"],
      rows: positions.map((one) => [
        String(one.position),
        JSON.stringify(text(one.token)),
        ...[one.gradientLength, one.gradientTimesInput, one.integratedGradients].map(number),
      ]),
      notes: [
        `${metric.name} ${number(output[0]!)}; from zero, integrated gradients sum to its change within ${significant(completenessError, 2)} in ${steps} steps`,
        `rank correlation of each map's sizes with itself when weights are shuffled down to: ${checks.randomised.map(line).join("; ")}`,
      ],
    };
  },
};
