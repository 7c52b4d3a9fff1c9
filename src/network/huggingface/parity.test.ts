/** Every family against `transformers`: logits and all hook points, in float32, on ONNX Runtime and in the arbiter. */
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { NamedValues, Values } from "../../engine/index.ts";
import { readSafetensors } from "../../file/safetensors.ts";
import { axisNames } from "../../tensor/index.ts";
import { RunnableNetwork } from "../run.ts";
import { UNSEEN } from "../transformer/attention.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { FAMILIES } from "./families.ts";
import { openHuggingFace } from "./node-folder.ts";

const GOLDEN = join(import.meta.dirname, "../../../test/golden/networks");
const folders = (await readdir(GOLDEN, { withFileTypes: true })).filter((entry) => entry.isDirectory());

/** Both compute in float32; the policy that TransformerLens wrote down, and ours. */
const TOLERANCE = 5e-5;

test("every family has a golden", async () => {
  const types = folders.map(({ name }) => {
    const config = JSON.parse(readFileSync(join(GOLDEN, name, "config.json"), "utf8")) as { model_type: string };
    return config.model_type;
  });
  expect([...new Set(types)].sort()).toEqual(Object.keys(FAMILIES).sort());
});

describe.each(folders.map(({ name }) => name))("%s", (name) => {
  let checkpoint: Checkpoint;
  let expected: NamedValues;
  let found: NamedValues;
  let exact: NamedValues;

  beforeAll(async () => {
    checkpoint = await openHuggingFace(join(GOLDEN, name));
    expected = readSafetensors(readFileSync(join(GOLDEN, name, "expected.safetensors"))).tensors;
    const run = async (device?: "float64"): Promise<NamedValues> => {
      const runnable = new RunnableNetwork(
        checkpoint.network,
        checkpoint.weights,
        device === undefined ? {} : { device },
      );
      const padding = [...expected.padding!.data];
      const { output, cache } = await runnable.run(expected.tokens!, { cache: "all", padding });
      await runnable.dispose();
      return { ...cache, logits: output };
    };
    found = await run();
    exact = await run("float64");
  });

  test("logits and every hook point", () => {
    const padding = [...expected.padding!.data];
    const errors = Object.keys(found).map((point) => {
      const wanted = wantedAt(point, expected);
      expect(wanted?.axes, point).toBe(found[point]!.axes);
      expect(wanted!.shape, point).toEqual(found[point]!.shape);
      return [point, worst(wanted!, found[point]!, padding)] as const;
    });
    expect(errors.filter(([, error]) => !(error < TOLERANCE))).toEqual([]);
  });

  test("float64 agrees as far", () => {
    const padding = [...expected.padding!.data];
    const errors = Object.keys(exact).map((point) => worst(wantedAt(point, expected)!, exact[point]!, padding));
    expect(Math.max(...errors)).toBeLessThan(TOLERANCE);
  });

  test("no point of the golden is left out", () => {
    const left = Object.keys(expected).filter((point) => !(point in found) && !["tokens", "padding"].includes(point));
    expect(left).toEqual([]);
  });
});

/** What a point should hold; those that are the stream itself, or the stream for each head, are not stored. */
function wantedAt(point: string, expected: NamedValues): Values | undefined {
  if (point in expected) return expected[point];
  const [, block, part] = /^(blocks\.\d+)\.hook_(mlp_in|[qkv]_input)$/.exec(point) ?? [];
  if (block === undefined) return undefined;
  if (part === "mlp_in") return expected[`${block}.hook_resid_mid`] ?? expected[`${block}.hook_resid_pre`];
  const pre = expected[`${block}.hook_resid_pre`]!;
  const like = expected[`${block}.attn.hook_${part![0]}`]!;
  const [batch, pos, width] = pre.shape as [number, number, number];
  const heads = like.shape[2]!;
  const data = Float32Array.from({ length: batch * pos * heads * width }, (_, i) => {
    const token = Math.floor(i / (heads * width));
    return pre.data[token * width + (i % width)]!;
  });
  return { ...pre, axes: like.axes.replace("d_head", "d_model"), shape: [batch, pos, heads, width], data };
}

/** The largest difference at positions that are no padding; what a query must not see has to be out of sight on both sides. */
function worst(wanted: Values, got: Values, padding: readonly number[]): number {
  const axes = axisNames(wanted.axes);
  let largest = 0;
  for (let i = 0; i < wanted.data.length; i++) {
    let rest = i;
    const index: Record<string, number> = {};
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      index[axes[axis]!] = rest % wanted.shape[axis]!;
      rest = Math.floor(rest / wanted.shape[axis]!);
    }
    if ((index.pos ?? index.query!) < padding[index.batch!]!) continue;
    const [a, b] = [wanted.data[i]!, got.data[i]!];
    if (a < UNSEEN && b < UNSEEN / 2) continue;
    const error = Math.abs(a - b);
    if (!(error <= largest)) largest = error;
  }
  return largest;
}
