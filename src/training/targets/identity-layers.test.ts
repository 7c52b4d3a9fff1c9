import { expect, test } from "vitest";
import { always, handMade, type Importances, rowsAsParts } from "../../../test/evidence/subjects.ts";
import { interpret } from "../../engine/index.ts";
import { judgeDecomposition, type Verdict } from "../../evidence/judge.ts";
import { cast, greater, input, keyFromSeed, relabel, transpose } from "../../tensor/index.ts";
import { resolveTarget, targetNamed, train } from "../targets.ts";

const document = resolveTarget("identity-layers", { preset: "quick", set: { steps: 3 } });
const { settings } = document;
const target = targetNamed("identity-layers");
const network = target.network(settings);

test("stays what it is; so many inputs are active, and the logits are ten times as large", async () => {
  const { weights, metrics } = await train(document, { threads: 1 });
  for (const { data } of Object.values(weights)) data.forEach((w, i) => expect(w).toBe(Number(i % 11 === 0)));
  expect(metrics).toMatchObject({ loss: 0, distance: 0 });
  const x = target.batch("data", settings, 32);
  const tensors = Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => [name, input(name, axes, { d_in: shape[0]!, d_out: shape[1]! })]),
  );
  const found = interpret({ x, output: network.forward(tensors, x) }, weights, keyFromSeed(0));
  for (let row = 0; row < 32; row++) {
    const own = Array.from(found.x.data.slice(row * 10, row * 10 + 10));
    expect(own.filter((value) => value > 0)).toHaveLength(2);
    own.forEach((value, i) => expect(found.output.data[row * 10 + i]!).toBeCloseTo(10 * value, 9));
  }
});

test("its rows are the mechanisms where each matters with its input, and not where all always matter", async () => {
  const { weights } = await train(document, { threads: 1 });
  const present: Importances = (seen) =>
    Object.fromEntries(
      seen.map(({ site, activation }) => [
        site.name,
        relabel(transpose(cast(greater(activation, 0), "f32"), "d_in batch"), "C batch"),
      ]),
    );
  const verdictWith = (importances: Importances): Promise<Verdict> =>
    judgeDecomposition(
      handMade(network, weights, rowsAsParts(network, weights), importances),
      { batch: (batch) => target.batch("data", settings, batch) },
      target.known!(settings),
      { threads: 1 },
    );
  const right = await verdictWith(present);
  expect(right).toMatchObject({ unit: "nats", passed: true, solvedSites: 1, targetCiError: 0, l0: 6 });
  expect(right.regimes.adversarial.divergence).toBeLessThan(1e-5);
  expect(right.regimes.zero.divergence).toBeGreaterThan(0.1);
  const all = await verdictWith(always(1));
  expect(all).toMatchObject({ passed: false, solvedSites: 0 });
}, 60_000);
