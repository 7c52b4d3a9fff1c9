import { describe, expect, test } from "vitest";
import { type NamedValues, type Values, values } from "../engine/index.ts";
import { RunnableNetwork, tokenValues } from "../network/run.ts";
import { toyTransformer } from "../network/transformer/config.ts";
import { transformer } from "../network/transformer/transformer.ts";
import { foldIn, keyFromSeed, randomNormal, type Tensor, input } from "../tensor/index.ts";
import {
  ablate,
  ablationSweep,
  answerAccuracy,
  divergenceFrom,
  logitDifference,
  logProbability,
  nextTokenCrossEntropy,
  patch,
  patchingSweep,
  steer,
} from "./index.ts";
import { captured, measured } from "./capture.ts";

const network = transformer(
  toyTransformer({ vocab: 7, context: 6, layers: 2, dModel: 8, heads: 2, dMlp: 12, norm: "layer", bias: true }),
);
const weights: NamedValues = Object.fromEntries(
  network.weights.map(({ name, axes, shape }) => {
    const size = shape.reduce((product, n) => product * n, 1);
    return [name, values(axes, shape, randomNormal(foldIn(keyFromSeed(3), name), size))];
  }),
);
const open = (device?: "float64"): RunnableNetwork => new RunnableNetwork(network, weights, device && { device });
const clean = {
  name: "clean",
  x: tokenValues([
    [1, 2, 3, 4],
    [5, 6, 0, 1],
    [2, 2, 3, 3],
  ]),
};
const corrupt = {
  name: "corrupt",
  x: tokenValues([
    [1, 5, 3, 4],
    [0, 6, 0, 1],
    [2, 2, 4, 3],
  ]),
};
const metric = logitDifference({ answer: [0, 1, 2], against: [3, 4, 5] });
const close = (a: readonly number[], b: readonly number[], digits = 4): void => {
  expect(a).toHaveLength(b.length);
  a.forEach((x, i) => expect(x).toBeCloseTo(b[i]!, digits));
};

describe("metrics", () => {
  const logits = async (): Promise<Values> => (await open("float64").run(clean.x)).output;
  const row = ({ data }: Values, r: number, p: number): number[] =>
    Array.from(data.slice((r * 4 + p) * 7, (r * 4 + p) * 7 + 7));
  const logP = (x: number[]): number[] => {
    const total = Math.log(x.reduce((sum, v) => sum + Math.exp(v), 0));
    return x.map((v) => v - total);
  };

  test("are what their definitions say", async () => {
    const out = await logits();
    const answer = [0, 1, 2];
    const runnable = open("float64");
    const at = [3, 1, 0];
    close(
      await measured(runnable, clean, metric),
      [0, 1, 2].map((r) => row(out, r, 3)[r]! - row(out, r, 3)[r + 3]!),
      10,
    );
    close(
      await measured(runnable, clean, logProbability({ answer, position: at })),
      answer.map((a, r) => logP(row(out, r, at[r]!))[a]!),
      10,
    );
    const best = answer.map((_, r) => row(out, r, 3).indexOf(Math.max(...row(out, r, 3))));
    close(await measured(runnable, clean, answerAccuracy({ answer: best })), [1, 1, 1]);
    close(await measured(runnable, clean, answerAccuracy({ answer: best.map((b) => (b + 1) % 7) })), [0, 0, 0]);
    const crossEntropy = [0, 1, 2].map((r) => {
      const each = [0, 1, 2].map((p) => -logP(row(out, r, p))[clean.x.data[r * 4 + p + 1]!]!);
      return each.reduce((a, b) => a + b, 0) / 3;
    });
    close(await measured(runnable, clean, nextTokenCrossEntropy(clean)), crossEntropy, 10);
    const other = (await runnable.run(corrupt.x)).output;
    const divergence = answer.map((_, r) => {
      const [p, q] = [logP(row(out, r, at[r]!)), logP(row(other, r, at[r]!))];
      return p.reduce((sum, v, i) => sum + Math.exp(v) * (v - q[i]!), 0);
    });
    const metricOfRun = await divergenceFrom(runnable, clean, at);
    close(await measured(runnable, corrupt, metricOfRun), divergence, 10);
    close(await measured(runnable, clean, metricOfRun), [0, 0, 0], 10);
  });

  test("know as many answers as there are examples", async () => {
    const few = logitDifference({ answer: [0], against: [1] });
    await expect(measured(open(), clean, few)).rejects.toThrow("expected answers for 3 examples, got 1");
    expect(() => logitDifference({ answer: [0], against: [1, 2] })).toThrow("expected 1 numbers, got 2");
  });
});

describe("patching", () => {
  const question = { clean, corrupt, direction: "denoise" as const };

  test("a whole residual stream brings the whole answer back, whichever way", async () => {
    for (const direction of ["denoise", "noise"] as const) {
      const table = await patch(
        open("float64"),
        { ...question, direction },
        {
          metric,
          variants: [
            { point: "blocks.0.hook_resid_pre" },
            { point: "blocks.1.hook_resid_post" },
            { point: "hook_embed" },
          ],
        },
      );
      for (const row of table.rows) {
        close(
          row.perExample,
          table.source!.map((x, i) => x - table.baseline[i]!),
          10,
        );
        expect(row.recovered).toBeCloseTo(1, 10);
      }
      expect(table).toMatchObject({
        kind: "patch",
        direction,
        n: 3,
        reference: { name: direction === "denoise" ? "clean" : "corrupt" },
      });
    }
  });

  test("agrees with a plain hook, cell by cell, for every kind of cell", async () => {
    const runnable = open("float64");
    for (const sweep of [
      "layer-position",
      "head-position",
      "query-key-value",
      "pattern",
      "pattern-position",
      "neurons",
    ]) {
      const table = await patchingSweep(runnable, question, { metric, sweep });
      for (const row of table.rows.filter((_, i) => i % 7 === 3)) {
        const [{ point, at }] = row.selections as [(typeof row.selections)[number]];
        const [from, to] = await Promise.all([
          captured(runnable, clean, [point]),
          captured(runnable, corrupt, [point]),
        ]);
        const changed = spliced(to[point]!, from[point]!, at ?? {});
        const { axes, shape } = changed;
        const sizes = Object.fromEntries(axes.split(" ").map((axis, i) => [axis, shape[i]!]));
        const hook = { point, replace: (): Tensor => input("changed", axes, sizes) };
        const { measure } = await runnable.compute(corrupt.x, ({ output }) => ({ measure: metric.readout(output) }), {
          hooks: [hook],
          feeds: { changed, ...metric.feeds([0, 1, 2]) },
        });
        close(
          row.perExample,
          Array.from(measure.data, (x, i) => x - table.baseline[i]!),
          10,
        );
      }
    }
  });

  test("what has no effect on later positions has none: causal cells after the read position are 0", async () => {
    const early = logProbability({ answer: [0, 1, 2], position: [1, 1, 1] });
    const table = await patchingSweep(open(), question, { metric: early, sweep: "layer-position" });
    for (const row of table.rows.filter(({ position }) => position! > 1)) close(row.perExample, [0, 0, 0], 5);
    expect(table.rows.some(({ mean }) => Math.abs(mean) > 0.01)).toBe(true);
  });

  test("small batches give what a large one gives, and padding is no part of a row", async () => {
    const padded = {
      ...question,
      clean: { ...clean, padding: [1, 0, 2] },
      corrupt: { ...corrupt, padding: [1, 0, 2] },
    };
    const options = { metric, sweep: "layer-position" };
    const seen: number[] = [];
    const large = await patchingSweep(open(), padded, options);
    const small = await patchingSweep(open(), padded, {
      ...options,
      memoryBytes: 5_000,
      onProgress: (done) => seen.push(done),
    });
    large.rows.forEach((row, i) => close(small.rows[i]!.perExample, row.perExample, 4));
    expect(seen.length).toBeGreaterThan(10);
    expect(seen.at(-1)).toBe(large.rows.length * 3);
    const inPadding = large.rows.find(({ position }) => position === 0)!;
    expect(inPadding.perExample[0]).toBeCloseTo(0, 5);
  });

  test("can be stopped, and says what does not fit", async () => {
    const controller = new AbortController();
    const stopped = patchingSweep(open(), question, {
      metric,
      sweep: "heads",
      memoryBytes: 1,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(stopped).rejects.toThrow("stopped");
    await expect(patchingSweep(open(), question, { metric, sweep: "head" })).rejects.toThrow(
      "sweep: expected heads, got head",
    );
    const wrong = (at: Record<string, readonly number[]>) =>
      patch(open(), question, { metric, variants: [{ point: "blocks.0.attn.hook_z", at }] });
    await expect(wrong({ head: [2] })).rejects.toThrow(
      "blocks.0.attn.hook_z head: expected an index from 0 to 1, got 2",
    );
    await expect(wrong({ heads: [0] })).rejects.toThrow("blocks.0.attn.hook_z axis: expected head, got heads");
    const short = { name: "short", x: tokenValues([[1, 2]]) };
    await expect(patch(open(), { ...question, corrupt: short }, { metric, variants: [] })).rejects.toThrow(
      "activation patching: expected 1×2 as in short, got 3×4 in clean",
    );
  });
});

describe("ablation", () => {
  const reference = {
    name: "other rows",
    x: tokenValues([
      [6, 5, 4, 3],
      [0, 1, 0, 1],
      [3, 3, 1, 1],
      [1, 2, 3, 0],
    ]),
  };
  const key = keyFromSeed(5);
  const head = { point: "blocks.1.attn.hook_z", at: { head: [1] } };

  test("zero, mean and resample put what they say in place, and say it", async () => {
    const runnable = open("float64");
    const [own, other] = await Promise.all([
      captured(runnable, clean, [head.point]),
      captured(runnable, reference, [head.point]),
    ]);
    const values = own[head.point]!;
    const means = {
      ...values,
      data: values.data.map((_, i) => {
        const within = i % (values.data.length / 3);
        return (
          [0, 1, 2, 3].reduce((sum, r) => sum + other[head.point]!.data[r * (values.data.length / 3) + within]!, 0) / 4
        );
      }),
    };
    const expected = async (standIn: Values): Promise<number[]> => {
      const changed = spliced(values, standIn, head.at);
      const hook = {
        point: head.point,
        replace: (): Tensor => input("z", "batch pos head d_head", { batch: 3, pos: 4, head: 2, d_head: 4 }),
      };
      const { measure } = await runnable.compute(clean.x, ({ output }) => ({ measure: metric.readout(output) }), {
        hooks: [hook],
        feeds: { z: changed, ...metric.feeds([0, 1, 2]) },
      });
      return Array.from(measure.data);
    };
    const zero = await ablate(runnable, clean, { metric, variants: [head], ablation: { kind: "zero" } });
    const changed = (table: typeof zero): number[] => table.rows[0]!.perExample.map((x, i) => x + table.baseline[i]!);
    close(changed(zero), await expected({ ...values, data: values.data.map(() => 0) }), 10);
    expect(zero).toMatchObject({ kind: "zero", reference: null, direction: null });
    const mean = await ablate(runnable, clean, { metric, variants: [head], ablation: { kind: "mean", reference } });
    close(changed(mean), await expected(means), 10);
    expect(mean.reference).toEqual({ name: "other rows", n: 4 });
    const resample = await ablate(runnable, clean, {
      metric,
      variants: [head],
      ablation: { kind: "resample", reference, key },
    });
    const { drawn } = resample.reference!;
    const size = values.data.length / 3;
    close(
      changed(resample),
      await expected({
        ...values,
        data: Float64Array.from(
          values.data,
          (_, i) => other[head.point]!.data[drawn![Math.floor(i / size)]! * size + (i % size)]!,
        ),
      }),
      10,
    );
  });

  test("noise changes more the more there is of it, and the same key gives the same bits", async () => {
    const noise = async (scale: number, k = key) =>
      (
        await ablate(open("float64"), clean, {
          metric,
          variants: [head],
          ablation: { kind: "noise", reference, scale, key: k },
        })
      ).rows[0]!.perExample;
    expect(await noise(0)).toEqual([0, 0, 0]);
    expect(await noise(1)).toEqual(await noise(1));
    expect(await noise(1)).not.toEqual(await noise(1, keyFromSeed(6)));
    const size = (x: readonly number[]): number => x.reduce((sum, v) => sum + Math.abs(v), 0);
    expect(size(await noise(0.01))).toBeLessThan(size(await noise(1)));
  });

  test("a mean of the evaluated rows themselves is refused, and so is a row that could only stand in for itself", async () => {
    const mixed = {
      name: "mixed",
      x: tokenValues([
        [6, 5, 4, 3],
        [5, 6, 0, 1],
      ]),
    };
    await expect(
      ablate(open(), clean, { metric, variants: [head], ablation: { kind: "mean", reference: mixed } }),
    ).rejects.toThrow(
      "mean ablation: expected a reference without the evaluated rows, got row 1 of clean as row 1 of mixed",
    );
    const itself = { name: "itself", x: tokenValues([[1, 2, 3, 4]]) };
    await expect(
      ablate(open(), clean, { metric, variants: [head], ablation: { kind: "resample", reference: itself, key } }),
    ).rejects.toThrow("expected a row of itself other than row 0 of clean, got only that one");
    const long = { name: "long", x: tokenValues([[1, 2, 3, 4, 5]]) };
    await expect(
      ablate(open(), clean, { metric, variants: [head], ablation: { kind: "mean", reference: long } }),
    ).rejects.toThrow("mean ablation: expected rows of 4 as in clean, got 5 in long");
    const everywhere = { kind: "mean", reference: long, over: "rows and positions" } as const;
    expect((await ablate(open(), clean, { metric, variants: [head], ablation: everywhere })).rows).toHaveLength(1);
  });

  test("several parts at once are not the sum of each", async () => {
    const both = [head, { point: "blocks.0.hook_mlp_out" }];
    const table = await ablate(open(), clean, { metric, variants: [both, ...both], ablation: { kind: "zero" } });
    const [together, first, second] = table.rows.map(({ mean }) => mean) as [number, number, number];
    expect(Math.abs(together - first - second)).toBeGreaterThan(1e-3);
  });

  test("a sweep's intervals hold its means", async () => {
    const table = await ablationSweep(open(), clean, { metric, sweep: "heads", ablation: { kind: "zero" } });
    expect(table.rows).toHaveLength(4);
    for (const { mean, interval, n } of table.rows) {
      expect(n).toBe(3);
      expect(interval![0]).toBeLessThanOrEqual(mean);
      expect(interval![1]).toBeGreaterThanOrEqual(mean);
    }
  });
});

test("steering adds its vector, as often as it is told to", async () => {
  const runnable = open("float64");
  const vector = values("d_model", [8], [1, -1, 0, 2, 0, 0, 1, 0]);
  const table = await steer(runnable, clean, {
    metric,
    vector,
    coefficients: [0, 1, 2],
    variant: { point: "blocks.1.hook_resid_pre", at: { pos: [3] } },
  });
  expect(table.rows.map(({ coefficient }) => coefficient)).toEqual([0, 1, 2]);
  close(table.rows[0]!.perExample, [0, 0, 0], 12);
  const point = "blocks.1.hook_resid_pre";
  const stream = (await captured(runnable, clean, [point]))[point]!;
  const moved = {
    ...stream,
    data: stream.data.map((x, i) => x + (Math.floor(i / 8) % 4 === 3 ? 2 * vector.data[i % 8]! : 0)),
  };
  const hook = { point, replace: (): Tensor => input("moved", "batch pos d_model", { batch: 3, pos: 4, d_model: 8 }) };
  const { measure } = await runnable.compute(clean.x, ({ output }) => ({ measure: metric.readout(output) }), {
    hooks: [hook],
    feeds: { moved, ...metric.feeds([0, 1, 2]) },
  });
  close(
    table.rows[2]!.perExample,
    Array.from(measure.data, (x, i) => x - table.baseline[i]!),
    10,
  );
});

/** `to` with the elements that are chosen taken from `from`: element by element, the plain way. */
function spliced(to: Values, from: Values, at: Readonly<Record<string, readonly number[]>>): Values {
  const axes = to.axes.split(" ");
  return {
    ...to,
    data: Float64Array.from(to.data, (x, i) => {
      let rest = i;
      const index: Record<string, number> = {};
      for (let a = axes.length - 1; a >= 0; a--) {
        index[axes[a]!] = rest % to.shape[a]!;
        rest = Math.floor(rest / to.shape[a]!);
      }
      return Object.entries(at).every(([axis, chosen]) => chosen.includes(index[axis]!)) ? from.data[i]! : x;
    }),
  };
}
