/**
 * Mechanisms spread over heads or layers: what answers to one feature is done by several components, so that removing any one of them alone does
 * little and removing all does much.
 */
import { type Decomposition, importancesOf } from "../../decomposition/decomposition.ts";
import { compile, type CompileOptions, type NamedValues, type Values, values } from "../../engine/index.ts";
import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import {
  axisNames,
  broadcast,
  constant,
  input,
  type Key,
  foldIn,
  keyFromSeed,
  randomPermutation,
  square,
  sub,
  sum,
  type Tensor,
} from "../../tensor/index.ts";
import type { KnownPatterns } from "../../training/known-mechanisms.ts";
import { probeInputs } from "../probe.ts";
import type { Measure, Outcome } from "./measure.ts";

export const SPREAD: Measure = {
  title: "mechanisms spread over components",
  formula: "1 - max_c ‖f(x) - f(x without c)‖² / ‖f(x) - f(x without all that act)‖², on an input with one mechanism",
  source: "joint against single ablation; after Wang et al. 2022 (backup heads) and McGrath et al. 2023 (hydra effect)",
  unit: "share of the joint effect",
  reduction: "mean over inputs with one mechanism each",
  control: "as many components that do not act on the input removed together, over the joint effect",
  rule: "above 0.5",
  establishes: "how much of what a mechanism does no single component does",
  doesNotEstablish:
    "that the parts are copies: parts that add up and parts of which one is enough look alike here; the sum of single effects over the joint one tells them apart",
};

export interface SpreadDetails {
  readonly inputs: readonly {
    /** Components that act on the input; effects are of the strongest of them. */
    readonly acting: number;
    readonly largest: number;
    /** Sum of single effects over the joint one: 1 where they add up, 0 where each is spared by the others. */
    readonly sumOfSingles: number;
  }[];
}

/** Components whose removal is tried for an input at each site, the strongest. */
const STRONGEST = 16;
const MOST_INPUTS = 64;
const PRESENT_ABOVE = 0.5;
/** A joint effect below this share of the output's square is none. */
const ROUNDING = 1e-8;

/** Inputs with one mechanism each. */
export interface SingleMechanisms {
  /** With `batch` first. */
  readonly inputs: Values;
}

/** One-hot inputs, where a mechanism for each is known. */
export const singleMechanisms = ({ inputs, magnitude }: KnownPatterns): SingleMechanisms => ({
  inputs: probeInputs(inputs, magnitude),
});

export async function spread(
  decomposition: Decomposition,
  { inputs: all }: SingleMechanisms,
  { seed = 0, ...placement }: CompileOptions & { readonly seed?: number } = {},
): Promise<Outcome<SpreadDetails>> {
  const each = all.data.length / all.shape[0]!;
  const count = Math.min(MOST_INPUTS, all.shape[0]!);
  const inputs = { ...all, shape: [count, ...all.shape.slice(1)], data: all.data.slice(0, count * each) };
  if (axisNames(inputs.axes).includes("pos")) return { missing: "looks at inputs without positions" };
  const strengths = await strengthsOn(decomposition, inputs, placement);
  const key = foldIn(keyFromSeed(seed), "spread");
  const cases = Array.from({ length: count }, (_, row) => removals(strengths, row, foldIn(key, row)));
  const removed = await effects(decomposition, inputs, cases, placement);
  const found = removed.flatMap(({ joint, control, singles, output }, row) => {
    if (joint <= ROUNDING * output) return [];
    const largest = Math.max(0, ...singles) / joint;
    const sumOfSingles = singles.reduce((a, b) => a + b, 0) / joint;
    return [{ acting: cases[row]!.acting, largest, sumOfSingles, control: control / joint }];
  });
  if (found.length === 0)
    return { missing: "what components do on inputs with one mechanism does not reach the output" };
  const value = meanOfNumbers(found.map(({ largest }) => Math.max(0, 1 - largest)));
  return {
    value,
    control: meanOfNumbers(found.map(({ control }) => control)),
    present: value > PRESENT_ABOVE,
    n: found.length,
    counted: "inputs with one mechanism",
    details: { inputs: found.map(({ control: _, ...rest }) => rest) },
  };
}

/** A component by its site and place in it. */
type Part = readonly [site: string, c: number];

interface Removals {
  readonly acting: number;
  readonly joint: readonly Part[];
  readonly singles: readonly Part[];
  /** Components that do not act here, as many. */
  readonly control: readonly Part[];
}

function removals(strengths: NamedValues, row: number, key: Key): Removals {
  const [joint, singles, idle]: [Part[], Part[], Part[]] = [[], [], []];
  for (const [site, { data, shape }] of Object.entries(strengths)) {
    const [C, rows] = shape as [number, number];
    const at = (c: number): number => Math.abs(data[c * rows + row]!);
    const order = Array.from({ length: C }, (_, c) => c).sort((a, b) => at(b) - at(a));
    const on = order.filter((c) => at(c) > 0);
    joint.push(...on.map((c): Part => [site, c]));
    singles.push(...on.slice(0, STRONGEST).map((c): Part => [site, c]));
    idle.push(...order.filter((c) => at(c) === 0).map((c): Part => [site, c]));
  }
  const shuffled = Array.from(randomPermutation(key, idle.length), (i) => idle[i]!);
  return { acting: joint.length, joint, singles, control: shuffled.slice(0, joint.length) };
}

async function strengthsOn(
  decomposition: Decomposition,
  inputs: Values,
  placement: CompileOptions,
): Promise<NamedValues> {
  const program = await compile(importancesOf(decomposition, inputOf(inputs)), placement);
  try {
    return (await program.run({ ...decomposition.values, "anomalies.x": inputs })) as NamedValues;
  } finally {
    await program.dispose();
  }
}

function inputOf({ axes, shape, dtype }: Values): Tensor {
  return input("anomalies.x", axes, Object.fromEntries(axisNames(axes).map((axis, i) => [axis, shape[i]!])), dtype);
}

/** Rows of a program that are run at once. */
const AT_ONCE = 256;

interface Effects {
  readonly output: number;
  readonly joint: number;
  readonly control: number;
  readonly singles: readonly number[];
}

/** What removals do to the output: each is a row of its own. */
async function effects(
  decomposition: Decomposition,
  inputs: Values,
  cases: readonly Removals[],
  placement: CompileOptions,
): Promise<Effects[]> {
  const each = inputs.data.length / inputs.shape[0]!;
  const wanted = cases.flatMap(({ joint, control, singles }, row) =>
    [joint, control, ...singles.map((part) => [part])].map((parts) => ({ row, parts })),
  );
  const shape = [AT_ONCE, ...inputs.shape.slice(1)];
  const x = inputOf({ ...inputs, shape });
  const counts = Object.fromEntries(
    decomposition.sites.map(({ name }) => [name, decomposition.components.filter(({ site }) => site === name).length]),
  );
  const masks = Object.fromEntries(
    Object.entries(counts).map(([site, C]) => [site, input(`mask ${site}`, "C batch", { C, batch: AT_ONCE })]),
  );
  const whole = Object.fromEntries(
    decomposition.sites.map(({ name }) => [
      name,
      broadcast(constant("", {}, 1) as Tensor, "batch", { batch: AT_ONCE }),
    ]),
  );
  const clean = decomposition.network.forward(decomposition.tensors, x);
  const without = decomposition.masked(x, masks, { remainder: whole });
  const rest = axisNames(clean.axes)
    .filter((axis) => axis !== "batch")
    .join(" ");
  const program = await compile(
    { effect: sum(square(sub(without, clean)), rest) as Tensor, output: sum(square(clean), rest) as Tensor },
    placement,
  );
  try {
    const done: { effect: number; output: number }[] = [];
    for (let from = 0; from < wanted.length; from += AT_ONCE) {
      const rows = wanted.slice(from, from + AT_ONCE);
      const data = new Float32Array(AT_ONCE * each);
      rows.forEach(({ row }, i) =>
        data.set(inputs.data.subarray(row * each, (row + 1) * each) as Float32Array, i * each),
      );
      const fed = Object.fromEntries(
        Object.entries(counts).map(([site, C]) => {
          const mask = new Float32Array(C * AT_ONCE).fill(1);
          rows.forEach(({ parts }, i) => {
            for (const [at, c] of parts) if (at === site) mask[c * AT_ONCE + i] = 0;
          });
          return [`mask ${site}`, values("C batch", [C, AT_ONCE], mask)];
        }),
      );
      const found = await program.run({ ...decomposition.values, ...fed, "anomalies.x": { ...inputs, shape, data } });
      rows.forEach((_, i) => done.push({ effect: found.effect.data[i]!, output: found.output.data[i]! }));
    }
    let next = 0;
    return cases.map(({ singles }) => {
      const own = done.slice(next, (next += singles.length + 2));
      const [joint, control, ...rests] = own.map(({ effect }) => effect);
      return { output: own[0]!.output, joint: joint!, control: control!, singles: rests };
    });
  } finally {
    await program.dispose();
  }
}
