import { describe, expect, test } from "vitest";
import { interpret } from "../../engine/index.ts";
import { toyTransformer } from "../../network/transformer/config.ts";
import { foldIn, keyFromSeed } from "../../tensor/index.ts";
import { settingsFrom } from "../../settings.ts";
import { resolveTarget, train } from "../targets.ts";
import type { TrainDocument } from "../target.ts";
import { pretrainedRows, type PretrainedSettings, pretrainedTarget, rowsText } from "./pretrained.ts";

const config = toyTransformer({ vocab: 5, context: 4, layers: 1, dModel: 6, heads: 2, dMlp: 4, norm: "rms" });
const given = {
  name: "org/tiny",
  family: "llama",
  weights: "0".repeat(64),
  network: config,
  text: "some.txt",
  rows: "0 1 2\n4 4 0",
  windows: 2,
  context: 3,
  bos: "none",
  names: '["a","b"]',
};
const read = (change: object = {}): TrainDocument["settings"] =>
  settingsFrom("pretrained", pretrainedTarget.schema, { ...given, ...change }) as TrainDocument["settings"];
const settings = read();

describe("an imported network", () => {
  test("is rebuilt from its settings alone, as JSON has them", () => {
    const again = read(JSON.parse(JSON.stringify(settings)) as object);
    const network = pretrainedTarget.network(again);
    expect((network as unknown as { config: unknown }).config).toEqual(config);
    expect(network.sites.map(({ name }) => name)).toEqual(
      ["attn.W_Q", "attn.W_K", "attn.W_V", "attn.W_O", "mlp.W_in", "mlp.W_out"].map((name) => `blocks.0.${name}`),
    );
    expect(network.weights.every(({ frozen }) => frozen)).toBe(true);
    expect(pretrainedTarget.title(settings)).toBe("tiny");
  });

  test("is fed the windows of its text, and nothing else", async () => {
    const rows = pretrainedRows(settings as unknown as PretrainedSettings);
    const data = Int32Array.from([0, 1, 2, 4, 4, 0]);
    expect(rows).toEqual({ axes: "row pos", shape: [2, 3], dtype: "i32", data });
    expect(rowsText(rows)).toBe(given.rows);
    const tables = await pretrainedTarget.tables!(settings);
    const batch = pretrainedTarget.batch("data", settings, 40);
    const drawn = interpret({ batch }, tables, foldIn(keyFromSeed(1), "draws")).batch;
    const found = Array.from({ length: 40 }, (_, row) => drawn.data.slice(3 * row, 3 * row + 3).join(" "));
    expect(new Set(found)).toEqual(new Set(["0 1 2", "4 4 0"]));
  });

  test("reads as its tokenizer has it; ids without a name as numbers", async () => {
    const names = await pretrainedTarget.tokens!(settings);
    expect([0, 1, 4].map((id) => names.text(id))).toEqual(["a", "b", "4"]);
  });

  test.each([
    [{ rows: "0 1 2" }, /rows: expected 2 windows, got 1/],
    [{ rows: "0 1 2\n4 4" }, /rows: window 1: expected 3 tokens, got 2/],
    [{ rows: "0 1 2\n4 5 0" }, /rows: window 1: expected ids from 0 to 4, got "5"/],
    [{ rows: "0 1 2\n4 x 0" }, /rows: window 1: expected ids from 0 to 4, got "x"/],
  ])("%j is refused", (change, message) => {
    expect(() => pretrainedRows(read(change) as unknown as PretrainedSettings)).toThrow(message);
  });

  test.each([
    [{ network: { ...config, layers: 0 } }, /pretrained network.layers: .*>=1/],
    [{ network: { ...config, extra: 1 } }, /pretrained network: unrecognized key/],
    [{ steps: 5 }, /pretrained steps: .*expected 0/],
  ])("%j is no such settings", (change, message) => {
    expect(() => read(change)).toThrow(message);
  });

  test("is not trained here", async () => {
    expect(() => resolveTarget("pretrained")).toThrow(/pretrained: expected mechanist import/);
    await expect(train({ target: "pretrained", preset: "import", settings })).rejects.toThrow(
      /expected mechanist import/,
    );
  });
});
