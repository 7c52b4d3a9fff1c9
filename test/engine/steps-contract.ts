/** What every engine must do with a training step, as one suite of tests that each device runs. */
import { describe, expect, test } from "vitest";
import type { Device } from "../../src/engine/device.ts";
import { interpret } from "../../src/engine/interpreter/interpret.ts";
import { compileSteps, type StepInputs, type StepProgram, type Stepper } from "../../src/engine/steps.ts";
import { type NamedValues, values } from "../../src/engine/values.ts";
import {
  add,
  einsum,
  foldIn,
  gradients,
  input,
  keyFromSeed,
  mean,
  mul,
  square,
  sub,
  type Tensor,
  uniform,
} from "../../src/tensor/index.ts";
import { expectClose } from "../expect-close.ts";

const BATCH = 6;
const STEPS = 7;

/** Fits `x · w` to `x · target` on fresh draws, by gradient descent with momentum. */
function regression(): StepProgram & { readonly inputs: Readonly<Record<string, Tensor>> } {
  const w = input("w", "d C", { d: 3, C: 2 });
  const velocity = input("velocity", "d C", { d: 3, C: 2 });
  const target = input("target", "d C", { d: 3, C: 2 });
  const rate = input("rate", "", {});
  const x = uniform("x", "batch d", { batch: BATCH, d: 3 });
  const output = einsum("batch d, d C -> batch C", x, sub(w, target));
  const loss = mean(square(output)) as Tensor<"">;
  const [gradient] = gradients(loss, [w]);
  const next = add(mul(velocity, 0.5), gradient);
  return {
    state: { w: { now: w, next: sub(w, mul(next, rate)) }, velocity: { now: velocity, next } },
    metrics: { loss, rate: mul(rate, 1) },
    fixed: ["target"],
    inputs: { w, velocity, target },
  };
}

const first: NamedValues = {
  w: values("d C", [3, 2], [0.5, -1, 0.25, 2, -0.75, 1]),
  velocity: values("d C", [3, 2], new Float32Array(6)),
};
const fixed: NamedValues = { target: values("d C", [3, 2], [1, 1, -1, 0.5, 0, 2]) };
const key = keyFromSeed(11);
const inputsAt = (step: number): StepInputs => ({ key: foldIn(key, step), scalars: { rate: 0.5 / (1 + step) } });

/** The steps one after another in float64. */
function expected(): { losses: number[]; state: NamedValues } {
  const { state, metrics } = regression();
  const outputs = { w: state.w!.next, velocity: state.velocity!.next, loss: metrics.loss! };
  let now = first;
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { key: stepKey, scalars } = inputsAt(step);
    const rate = { axes: "", shape: [], dtype: "f32", data: Float64Array.of(scalars.rate!) } as const;
    const result = interpret(outputs, { ...now, ...fixed, rate }, stepKey);
    losses.push(result.loss.data[0]!);
    now = { w: result.w, velocity: result.velocity };
  }
  return { losses, state: now };
}

export function describeSteps(name: string, device: Device): void {
  const start = (stepsPerCall?: number): Promise<Stepper> =>
    compileSteps(regression(), { device, threads: 1, initial: first, fixed, ...(stepsPerCall && { stepsPerCall }) });

  /** All steps in calls of at most `perCall`. */
  async function run(stepper: Stepper, perCall: number): Promise<{ losses: number[]; state: NamedValues }> {
    const losses: number[] = [];
    for (let step = 0; step < STEPS;) {
      const count = Math.min(perCall, stepper.stepsPerCall, STEPS - step);
      const rows = await stepper.advance(Array.from({ length: count }, (_, i) => inputsAt(step + i)));
      losses.push(...Array.from(rows.loss!));
      step += count;
    }
    return { losses, state: stepper.state() };
  }

  describe(name, () => {
    test("agrees with the arbiter, step by step", async () => {
      const stepper = await start();
      const [want, got] = [expected(), await run(stepper, 3)];
      await stepper.dispose();
      expectClose(
        { axes: "step", shape: [STEPS], dtype: "f32", data: Float64Array.from(got.losses) },
        { axes: "step", shape: [STEPS], data: want.losses },
        { relative: 1e-6 },
      );
      for (const [weight, { axes, shape, data }] of Object.entries(want.state)) {
        expectClose(got.state[weight]!, { axes, shape, data }, { relative: 1e-6 });
      }
    });

    test("gives the same bits however many steps a call takes", async () => {
      const steppers = [await start(1), await start(4), await start()];
      const results = [await run(steppers[0]!, 1), await run(steppers[1]!, 4), await run(steppers[2]!, STEPS)];
      for (const result of results) expect(result).toEqual(results[0]);
      for (const stepper of steppers) await stepper.dispose();
    });

    test("leaves the numbers it started from as they were, and hands out copies of its state", async () => {
      const stepper = await start();
      await stepper.advance([inputsAt(0)]);
      const before = stepper.state();
      const copy = Array.from(before.w!.data);
      await stepper.advance([inputsAt(1)]);
      await stepper.advance([inputsAt(2)]);
      expect(Array.from(before.w!.data)).toEqual(copy);
      expect(Array.from(first.w!.data)).toEqual([0.5, -1, 0.25, 2, -0.75, 1]);
      await stepper.dispose();
    });

    test("goes on from a saved state to the same bits", async () => {
      const whole = await start();
      const all = await run(whole, 2);
      const half = await start();
      for (let step = 0; step < 3; step++) await half.advance([inputsAt(step)]);
      const rest = await compileSteps(regression(), { device, threads: 1, initial: half.state(), fixed });
      for (let step = 3; step < STEPS; step++) await rest.advance([inputsAt(step)]);
      expect(rest.state()).toEqual(all.state);
      for (const stepper of [whole, half, rest]) await stepper.dispose();
    });

    test("says what it takes, and is refused where that is more than there may be", async () => {
      const stepper = await start();
      const { memoryBytes } = stepper;
      await stepper.dispose();
      expect(memoryBytes).toBeGreaterThan(4 * 3 * 2 * 6);
      const options = { device, threads: 1, initial: first, fixed };
      const refused = compileSteps(regression(), { ...options, memoryLimit: memoryBytes - 1 });
      await expect(refused).rejects.toThrow(
        /^memory: expected steps that need at most [\d.e-]+ GiB, got some that need/,
      );
      await (await compileSteps(regression(), { ...options, memoryLimit: memoryBytes })).dispose();
    });

    test("wants a number for each scalar, and no more steps than fit", async () => {
      const stepper = await start();
      await expect(stepper.advance([{ key, scalars: {} }])).rejects.toThrow(
        "steps: expected a number for rate, got none",
      );
      await expect(stepper.advance([])).rejects.toThrow(
        `steps: expected 1 to ${stepper.stepsPerCall} steps a call, got 0`,
      );
      await stepper.dispose();
    });
  });
}
