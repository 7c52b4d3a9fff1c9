/** Weight decay scaled by importance, over three steps by hand. */
import { expect, test } from "vitest";
import { compileSteps, interpret, type NamedValues, values } from "../../../engine/index.ts";
import { constant, input, sum, type Tensor } from "../../../tensor/index.ts";
import { decayed, mostImportance } from "./weight-decay.ts";

/** Two streams of data with three components: one that always matters, one that matters once, one that never does. */
const target = constant("C batch", { C: 3, batch: 2 }, [1, 1, 0.1, 0.6, 0, 0]);
const other = constant("C batch", { C: 3, batch: 3 }, [0.3, 0.2, 1, 0.2, 0.7, 0, 0, 0, 0]);

test("the most that a component matters is its largest importance in any row of any batch", () => {
  const most = (list: readonly Tensor<"C batch">[]): number[] =>
    Array.from(interpret({ most: mostImportance(list) }).most.data);
  expect(most([target, other])).toEqual([1, 0.7, 0]);
  expect(most([target])).toEqual([1, 0.6, 0]);
});

test("three steps", async () => {
  const V = input("V", "d_in C", { d_in: 2, C: 3 });
  const U = input("U", "C d_out", { C: 3, d_out: 2 });
  const start = [1, 2, 3, 4, 5, 6];
  const rates = [0.5, 0.25, 1];
  const next = decayed({ V, U }, mostImportance([target, other]), input("rate", "", {}), 0.1);
  const initial: NamedValues = { V: values("d_in C", [2, 3], start), U: values("C d_out", [3, 2], start) };
  const stepper = await compileSteps(
    { state: { V: { now: V, next: next.V }, U: { now: U, next: next.U } }, metrics: { size: sum(next.V) } },
    { initial, threads: 1 },
  );
  await stepper.advance(rates.map((rate) => ({ key: [0, 0], scalars: { rate } })));
  const kept = [1, 0.7, 0].map((most) => rates.reduce((left, rate) => left * (1 - rate * 0.1 * (1 - most)), 1));
  const found = stepper.state();
  start.forEach((x, i) => {
    expect(found.V!.data[i]).toBeCloseTo(x * kept[i % 3]!, 5);
    expect(found.U!.data[i]).toBeCloseTo(x * kept[Math.floor(i / 2)]!, 5);
  });
  expect(kept[0]).toBe(1);
  expect(kept[2]).toBeCloseTo(0.95 * 0.975 * 0.9, 12);
  await stepper.dispose();
});
