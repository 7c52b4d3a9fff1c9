import { describe, expect, test } from "vitest";
import { openInduction, repeated } from "../../../test/intervention/induction.ts";
import { type NamedValues, type Values, values } from "../../engine/index.ts";
import { RunnableNetwork, tokenValues } from "../../network/run.ts";
import { toyTransformer } from "../../network/transformer/config.ts";
import { transformer } from "../../network/transformer/transformer.ts";
import { foldIn, input, keyFromSeed, randomNormal, type Tensor } from "../../tensor/index.ts";
import { captured, measured } from "../capture.ts";
import { logitDifference, logProbability } from "../metrics.ts";
import { edgeEffects } from "./edge-effects.ts";
import { pathPatch } from "./path-patching.ts";

const config = toyTransformer({
  vocab: 7,
  context: 6,
  layers: 3,
  dModel: 8,
  heads: 2,
  dMlp: 12,
  norm: "layer",
  bias: true,
});
const network = transformer(config);
const weights: NamedValues = Object.fromEntries(
  network.weights.map(({ name, axes, shape }) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const draws = randomNormal(foldIn(keyFromSeed(9), name), size);
    // Norms that are near 1 and heads that write much: what queries are told then shows in the output.
    const scaled = /ln.*\.w$/.test(name)
      ? draws.map((x) => 1 + x / 4)
      : draws.map((x) => (/W_[OU]/.test(name) ? x : x / 2));
    return [name, values(axes, shape, scaled)];
  }),
);
const runnable = new RunnableNetwork(network, weights, { device: "float64" });
const clean = {
  name: "clean",
  x: tokenValues([
    [1, 2, 3, 4],
    [5, 6, 0, 1],
  ]),
};
const corrupt = {
  name: "corrupt",
  x: tokenValues([
    [2, 5, 3, 6],
    [0, 6, 2, 3],
  ]),
};
const metric = logitDifference({ answer: [0, 1], against: [3, 4] });
const contrast = { clean, corrupt, direction: "noise" as const };
const all = (layer: number): { from: string }[] => [
  { from: "embed" },
  ...Array.from({ length: layer }, (_, l) => [`blocks.${l}.attn:0`, `blocks.${l}.attn:1`, `blocks.${l}.mlp`])
    .flat()
    .map((from) => ({ from })),
];

/** The metric with values put in at points, the plain way. */
async function withValues(put: Readonly<Record<string, Values>>): Promise<number[]> {
  const hooks = Object.entries(put).map(([point, { axes, shape }]) => ({
    point,
    replace: (): Tensor =>
      input(`put ${point}`, axes, Object.fromEntries(axes.split(" ").map((axis, i) => [axis, shape[i]!]))),
  }));
  const feeds = Object.fromEntries(Object.entries(put).map(([point, v]) => [`put ${point}`, v]));
  const { measure } = await runnable.compute(clean.x, ({ output }) => ({ measure: metric.readout(output) }), {
    hooks,
    feeds: { ...feeds, ...metric.feeds([0, 1]) },
  });
  return Array.from(measure.data);
}

/** `batch pos head …` with one head taken from another. */
const withHead = (to: Values, from: Values, head: number): Values => {
  const [heads, size] = to.shape.slice(2) as [number, number];
  return {
    ...to,
    data: to.data.map((x, i) => (Math.floor(i / size) % heads === head ? from.data[i]! : x)) as Float64Array,
  };
};

const close = (a: readonly number[], b: readonly number[]): void =>
  a.forEach((x, i) => expect(x).toBeCloseTo(b[i]!, 10));

describe("path patching", () => {
  test("is the three runs of the paper", async () => {
    const names = network.points.map(({ name }) => name);
    const [own, others] = [await captured(runnable, clean, names), await captured(runnable, corrupt, names)];
    const z = "blocks.0.attn.hook_z";
    // Second run: everything between is held, the sender is the other run's. Its queries are then put into the third.
    const held: Record<string, Values> = { [z]: withHead(own[z]!, others[z]!, 1) };
    for (const point of ["blocks.1.attn.hook_z", "blocks.0.hook_mlp_out", "blocks.1.hook_mlp_out"])
      held[point] = own[point]!;
    for (const into of ["q", "k", "v"] as const) {
      const read = `blocks.2.attn.hook_${into}`;
      const hooks = Object.entries(held).map(([point, { axes, shape }]) => ({
        point,
        replace: (): Tensor =>
          input(`put ${point}`, axes, Object.fromEntries(axes.split(" ").map((axis, i) => [axis, shape[i]!]))),
      }));
      const feeds = Object.fromEntries(Object.entries(held).map(([point, v]) => [`put ${point}`, v]));
      const { cache } = await runnable.run(clean.x, { cache: [read], hooks, feeds });
      const expected = await withValues({ [read]: withHead(own[read]!, cache[read]!, 0) });
      const table = await pathPatch(runnable, contrast, {
        metric,
        senders: [[{ from: "blocks.0.attn:1" }]],
        receivers: [{ to: "blocks.2.attn:0", into }],
        norms: "recomputed",
      });
      close(
        table.rows[0]!.perExample,
        expected.map((x, i) => x - table.baseline[i]!),
      );
      expect(table.rows[0]!.perExample.some((x) => Math.abs(x) > 1e-3)).toBe(true);
    }
  });

  test("from one part to one other is that edge, cut", async () => {
    const edges = await edgeEffects(runnable, clean, { cut: { kind: "patch", source: corrupt }, metric });
    for (const to of [
      { to: "blocks.1.attn:1", into: "v" },
      { to: "blocks.1.mlp", into: "in" },
      { to: "unembed", into: "in" },
    ] as const) {
      const table = await pathPatch(runnable, contrast, {
        metric,
        senders: "each",
        receivers: [to],
        norms: "recomputed",
      });
      for (const { senders, perExample } of table.rows) {
        const row = edges.rows.find(
          ({ edge }) => edge.from === senders[0]!.from && edge.to === to.to && edge.into === to.into,
        );
        close(perExample, row!.perExample);
      }
    }
  });

  test("all direct paths into a receiver are its whole input, exactly", async () => {
    const stream = "blocks.2.hook_resid_pre";
    const [own, others] = [await captured(runnable, clean, [stream]), await captured(runnable, corrupt, [stream])];
    const perHead = (v: Values): Values => ({
      axes: "batch pos head d_model",
      shape: [2, 4, 2, 8],
      dtype: "f32",
      data: Float64Array.from({ length: 128 }, (_, i) => v.data[Math.floor(i / 16) * 8 + (i % 8)]!),
    });
    const whole = withHead(perHead(own[stream]!), perHead(others[stream]!), 1);
    const ask = (norms: "frozen" | "recomputed") =>
      pathPatch(runnable, contrast, {
        metric,
        senders: [all(2)],
        receivers: [
          { to: "blocks.2.attn:1", into: "q" },
          { to: "blocks.2.attn:1", into: "k" },
        ],
        norms,
      });
    const recomputed = await ask("recomputed");
    const expected = await withValues({ "blocks.2.hook_q_input": whole, "blocks.2.hook_k_input": whole });
    close(
      recomputed.rows[0]!.perExample,
      expected.map((x, i) => x - recomputed.baseline[i]!),
    );
    const frozen = await ask("frozen");
    expect(Math.abs(frozen.rows[0]!.perExample[0]! - recomputed.rows[0]!.perExample[0]!)).toBeGreaterThan(1e-6);
    expect(frozen).toMatchObject({ norms: "frozen", direction: "noise", kind: "patch" });
    expect(frozen.description).toContain("frozen norms");
    // Into the logits, all paths are the whole other run.
    const logits = await pathPatch(runnable, contrast, {
      metric,
      senders: [all(3)],
      receivers: [{ to: "unembed", into: "in" }],
      norms: "recomputed",
    });
    close(
      logits.rows[0]!.perExample,
      logits.source!.map((x, i) => x - logits.baseline[i]!),
    );
    expect(logits.rows[0]!.recovered).toBeCloseTo(1, 10);
  });

  test("with frozen norms, paths into the logits add up", async () => {
    const receivers = [{ to: "unembed", into: "in" }] as const;
    const table = await pathPatch(runnable, contrast, {
      metric,
      senders: [...all(3).map((sender) => [sender]), all(3), [{ from: "embed", positions: [3] }]],
      receivers,
      norms: "frozen",
    });
    const effects = table.rows.map(({ perExample }) => perExample);
    const together = effects.at(-2)!;
    close(
      [0, 1].map((e) => effects.slice(0, -2).reduce((sum, x) => sum + x[e]!, 0)),
      together,
    );
    // The logits are read at the last position, so that is the only one whose direct path matters.
    close(effects[0]!, effects.at(-1)!);
    const scale = "ln_final.hook_scale";
    const end = "blocks.2.hook_resid_post";
    const [own, others] = [await captured(runnable, clean, [scale]), await captured(runnable, corrupt, [end])];
    const expected = await withValues({ [scale]: own[scale]!, [end]: others[end]! });
    close(
      together,
      expected.map((x, i) => x - table.baseline[i]!),
    );
  });

  test("with frozen norms, what reaches a query is what its matrix makes of the change", async () => {
    const [q, scale, result] = ["blocks.2.attn.hook_q", "blocks.2.ln1.hook_scale", "blocks.0.attn.hook_result"];
    const own = await captured(runnable, clean, [q, scale, result]);
    const others = await captured(runnable, corrupt, [result]);
    const data = Float64Array.from(own[q]!.data);
    for (let i = 0; i < 8; i++) {
      const change = Array.from({ length: 8 }, (_, d) => {
        const at = (i * 2 + 1) * 8 + d;
        return others[result]!.data[at]! - own[result]!.data[at]!;
      });
      const centre = change.reduce((a, b) => a + b, 0) / 8;
      for (let h = 0; h < 4; h++) {
        for (let d = 0; d < 8; d++) {
          const normalized = ((change[d]! - centre) / own[scale]!.data[i]!) * weights["blocks.2.ln1.w"]!.data[d]!;
          data[i * 8 + h]! += normalized * weights["blocks.2.attn.W_Q"]!.data[(d * 2 + 0) * 4 + h]!;
        }
      }
    }
    const expected = await withValues({ [q]: { ...own[q]!, data } });
    const table = await pathPatch(runnable, contrast, {
      metric,
      senders: [[{ from: "blocks.0.attn:1" }]],
      receivers: [{ to: "blocks.2.attn:0", into: "q" }],
      norms: "frozen",
    });
    close(
      table.rows[0]!.perExample,
      expected.map((x, i) => x - table.baseline[i]!),
    );
  });

  test("finds who tells the induction head where to look", async () => {
    const [cleanRows, corruptRows] = [repeated(4, 1), repeated(4, 2)];
    const table = await pathPatch(
      openInduction(20),
      {
        clean: { name: "clean", x: tokenValues(cleanRows) },
        corrupt: { name: "corrupt", x: tokenValues(corruptRows) },
        direction: "noise",
      },
      {
        metric: logProbability({ answer: cleanRows.map((row) => row[0]!) }),
        senders: "each",
        receivers: [{ to: "blocks.1.attn:0", into: "k" }],
        norms: "recomputed",
      },
    );
    const found = table.rows.filter(({ mean }) => Math.abs(mean) > 0.01).map(({ senders }) => senders[0]!.from);
    expect(found).toEqual(["blocks.0.attn:0"]);
  });

  test("says what cannot be", async () => {
    const ask = (senders: { from: string; positions?: number[] }[], receivers: { to: string; into: "q" | "in" }[]) =>
      pathPatch(runnable, contrast, { metric, senders: [senders], receivers, norms: "frozen" });
    await expect(ask([{ from: "blocks.2.attn:0" }], [{ to: "blocks.1.attn:0", into: "q" }])).rejects.toThrow(
      "path patching: expected a sender before blocks.1.attn:0, got blocks.2.attn:0",
    );
    await expect(ask([{ from: "embed", positions: [4] }], [{ to: "unembed", into: "in" }])).rejects.toThrow(
      "path patching embed: expected positions from 0 to 3, got 4",
    );
    await expect(
      ask(
        [{ from: "embed" }],
        [
          { to: "unembed", into: "in" },
          { to: "blocks.1.mlp", into: "in" },
        ],
      ),
    ).rejects.toThrow("expected unembed as the only receiver, got 2");
    await expect(ask([{ from: "embed" }], [{ to: "blocks.1.attn:2", into: "q" }])).rejects.toThrow(
      "receiver: expected",
    );
    expect((await measured(runnable, clean, metric)).length).toBe(2);
  });
});
