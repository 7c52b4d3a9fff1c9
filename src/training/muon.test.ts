/** Muon against plain PyTorch in float64 (`reference/goldens/muon_step.py`), and what it owes whatever the matrices are. */
import { describe, expect, test } from "vitest";
import { expectClose } from "../../test/expect-close.ts";
import { golden } from "../../test/golden/load.ts";
import { compileSteps, interpret, type NamedValues, simplify, values } from "../engine/index.ts";
import { foldIn, input, keyFromSeed, randomNormal, type Tensor } from "../tensor/index.ts";
import { inTopologicalOrder } from "../tensor/traverse.ts";
import { type Matrices, muon, muonInputs, type MuonLayout, muonLayout, muonScalars } from "./muon.ts";
import { layoutOf, packValues, unpackValues } from "./parameters.ts";

type Numbers = Readonly<Record<string, readonly number[]>>;
const stored = await golden<{
  readonly rates: readonly number[];
  readonly momentum: number;
  readonly weightDecay: number;
  readonly weights: Readonly<
    Record<string, { readonly axes: string; readonly shape: readonly number[]; readonly matrices: number }>
  >;
  readonly start: Numbers;
  readonly gradients: readonly Numbers[];
  readonly after: readonly Numbers[];
}>("training/muon.json");

const names = Object.keys(stored.weights);
const layout = muonLayout(
  layoutOf(names.map((name) => ({ name, ...stored.weights[name]! }))),
  ({ name, shape }): Matrices | undefined => {
    const { matrices } = stored.weights[name]!;
    return matrices === 0 ? undefined : { count: matrices, rows: shape.at(-2)!, columns: shape.at(-1)! };
  },
);
const options = { momentum: stored.momentum, weightDecay: stored.weightDecay };

const named = (numbers: Numbers): NamedValues =>
  Object.fromEntries(
    names.map((name) => [name, values(stored.weights[name]!.axes, stored.weights[name]!.shape, numbers[name]!)]),
  );
const flat = (data: ArrayLike<number>): NamedValues[string] => values("parameter", [data.length], data);
const scalars = (step: number, rate: number): NamedValues =>
  Object.fromEntries(
    Object.entries(muonScalars(step, rate)).map(([name, x]) => [
      name,
      { axes: "", shape: [], dtype: "f32" as const, data: Float64Array.of(x) },
    ]),
  );

/** The state's inputs at rest. */
const atRest = ({ matrices, rest }: MuonLayout): NamedValues => ({
  "muon.momentum": flat(new Float32Array(matrices.size)),
  "adamw.m": flat(new Float32Array(rest.size)),
  "adamw.v": flat(new Float32Array(rest.size)),
});

const gradient = input("gradient", "parameter", { parameter: layout.all.size });
const state = muonInputs(layout);
const next = muon(layout, state, gradient, options);

describe("three steps", () => {
  test("are those of PyTorch, in the float64 arbiter", () => {
    let now: NamedValues = { ...atRest(layout), parameters: flat(packValues(layout.all, named(stored.start))) };
    stored.after.forEach((after, step) => {
      const feeds = {
        ...now,
        ...scalars(step + 1, stored.rates[step]!),
        gradient: flat(packValues(layout.all, named(stored.gradients[step]!))),
      };
      const { parameters, momentum, m, v } = interpret({ ...next } as Record<string, Tensor>, feeds);
      now = { parameters: parameters!, "muon.momentum": momentum!, "adamw.m": m!, "adamw.v": v! };
      const found = unpackValues(layout.all, parameters!.data);
      for (const name of names) {
        const wanted = { axes: stored.weights[name]!.axes, shape: stored.weights[name]!.shape, data: after[name]! };
        // Unpacked numbers are float32: 6e-8 of each.
        expectClose(found[name]!, wanted, { relative: 1e-7, absolute: 1e-8 });
      }
    });
  });

  test("are the same in ONNX Runtime but for rounding", async () => {
    const program = {
      state: {
        parameters: { now: state.parameters, next: next.parameters },
        "muon.momentum": { now: state.momentum!, next: next.momentum! },
        "adamw.m": { now: state.m!, next: next.m! },
        "adamw.v": { now: state.v!, next: next.v! },
      },
      metrics: {},
      fixed: ["gradient"],
    };
    let now: NamedValues = { ...atRest(layout), parameters: flat(packValues(layout.all, named(stored.start))) };
    for (const [step, slopes] of stored.gradients.entries()) {
      const stepper = await compileSteps(program, {
        threads: 1,
        initial: now,
        fixed: { gradient: flat(packValues(layout.all, named(slopes))) },
      });
      await stepper.advance([{ key: [0, 0], scalars: muonScalars(step + 1, stored.rates[step]!) }]);
      now = stepper.state();
      await stepper.dispose();
      const found = unpackValues(layout.all, now.parameters!.data);
      for (const name of names) {
        const { axes, shape } = stored.weights[name]!;
        expectClose(found[name]!, { axes, shape, data: stored.after[step]![name]! }, { relative: 2e-6 });
      }
    }
  });
});

test("a component that is zero and that nothing pulls at stays zero", () => {
  const column = 2;
  for (const after of stored.after)
    for (let row = 0; row < 5; row++) expect(after["first.V"]![row * 7 + column]).toBe(0);
  const found = interpret(
    { parameters: next.parameters },
    {
      ...atRest(layout),
      ...scalars(1, 0.02),
      parameters: flat(packValues(layout.all, named(stored.start))),
      gradient: flat(packValues(layout.all, named(stored.gradients[0]!))),
    },
  );
  const V = unpackValues(layout.all, found.parameters.data)["first.V"]!.data;
  for (let row = 0; row < 5; row++) expect(Math.abs(V[row * 7 + column]!)).toBe(0);
});

describe("whatever the gradient", () => {
  const one = muonLayout(layoutOf([{ name: "W", axes: "row column", shape: [6, 10] }]), () => ({
    count: 1,
    rows: 6,
    columns: 10,
  }));
  const slope = input("gradient", "parameter", { parameter: 60 });
  const stepped = muon(one, muonInputs(one), slope);
  const numbers = randomNormal(foldIn(keyFromSeed(1), "slope"), 60);
  const step = (scale: number): number[] => {
    const feeds = {
      ...scalars(1, 1),
      parameters: flat(new Float32Array(60)),
      "muon.momentum": flat(new Float32Array(60)),
      gradient: {
        axes: "parameter",
        shape: [60],
        dtype: "f32" as const,
        data: Float64Array.from(numbers, (x) => x * scale),
      },
    };
    return Array.from(interpret({ next: stepped.parameters }, feeds).next.data);
  };

  test("a step has about the root mean square of AdamW's", () => {
    const rms = Math.sqrt(step(1).reduce((total, x) => total + x * x, 0) / 60);
    // All singular values at 1 would make it 0.2: √(6 / (6 · 10)) · √10 · 0.2. The iteration leaves them between 0.7 and 1.2.
    expect(rms).toBeGreaterThan(0.2 * 0.7);
    expect(rms).toBeLessThan(0.2 * 1.2);
  });

  test("a step does not depend on how large the gradient is", () => {
    const [small, large] = [step(1e-3), step(1e3)];
    small.forEach((x, i) => expect(x).toBeCloseTo(large[i]!, 10));
  });

  test("no gradient is no step", () => expect(step(0).every((x) => Math.abs(x) === 0)).toBe(true));
});

test("matrices of one shape are iterated together", () => {
  const many = (count: number): number => {
    const all = layoutOf(
      Array.from({ length: count }, (_, i) => ({ name: `W${i}`, axes: "row column", shape: [4, 8] })),
    );
    const same = muonLayout(all, () => ({ count: 1, rows: 4, columns: 8 }));
    const g = input("gradient", "parameter", { parameter: all.size });
    const program = simplify({ ...muon(same, muonInputs(same), g) } as Record<string, Tensor>);
    return inTopologicalOrder(Object.values(program)).filter(({ op }) => op === "einsum").length;
  };
  expect(many(1)).toBe(15);
  expect(many(5)).toBe(15);
});
