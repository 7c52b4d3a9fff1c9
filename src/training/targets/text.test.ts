import { describe, expect, test } from "vitest";
import { interpret } from "../../engine/index.ts";
import { keyFromSeed } from "../../tensor/index.ts";
import { resolveTarget, targetNamed, train } from "../targets.ts";
import { preparedText, type TextSettings } from "./text.ts";

const target = targetNamed("text");
const tiny = { windows: 32, context: 8, layers: 1, width: 16, heads: 2, mlpWidth: 16, batch: 8, steps: 60 };
/** Predictable from the letter before but for what comes after a space. */
const text = Array.from({ length: 120 }, (_, i) => (i % 3 === 0 ? "ab " : "cd ")).join("");
const settingsOf = (set: object): TextSettings =>
  resolveTarget("text", { set: { ...tiny, ...set } }).settings as unknown as TextSettings;

describe("documents", () => {
  test("say how many tokens there are, so that the network needs no text", () => {
    const { settings } = resolveTarget("text", { set: { ...tiny, text } });
    expect(settings.vocabulary).toBe(5);
    const without = { ...settings, text: `sha256:${"0".repeat(64)}` };
    expect(target.network(without).weights).toEqual(target.network(settings).weights);
    expect(settingsOf({ text, tokens: "byte-pairs" }).vocabulary).toBe(512);
  });

  test(
    "nothing said: the built-in stories, whose letters are known without telling them",
    { timeout: 30_000 },
    async () => {
      const settings = settingsOf({});
      const { tokenizer, training } = await preparedText(settings);
      expect(tokenizer.size).toBe(settings.vocabulary);
      expect(tokenizer.decode(Array.from(training.slice(0, 400)))).toMatch(/^Once .*\.\n(Once .*\.\n)*/);
    },
  );
});

describe("tokens", () => {
  test.each(["characters", "byte-pairs"])("%s: the text as it is", async (tokens) => {
    const { tokenizer, training, held } = await preparedText(settingsOf({ text, tokens }));
    expect(tokenizer.decode([...training, ...held])).toBe(text);
  });

  test("characters are counted as Unicode has them", () => {
    expect(settingsOf({ text: "ä€😀a".repeat(100) }).vocabulary).toBe(4);
  });

  test.each([
    { set: { text: "abc" }, message: /text: expected at least 90 tokens, got 3/ },
    { set: { text, vocabulary: 4 }, message: /text vocabulary: expected at least 5, got 4/ },
    {
      set: { text, tokens: "byte-pairs", vocabulary: 100 },
      message: /byte pairs: expected a size of at least 256, got 100/,
    },
  ])("too little room or too little text is refused: $message", async ({ set, message }) => {
    await expect(preparedText(settingsOf(set))).rejects.toThrow(message);
  });
});

test("batches are windows of the text without its end", async () => {
  const { settings } = resolveTarget("text", { set: { ...tiny, text } });
  const { tokenizer, training } = await preparedText(settings as unknown as TextSettings);
  const tables = await target.tables!(settings);
  const { tokens } = interpret({ tokens: target.batch("data", settings, 20) }, tables, keyFromSeed(0));
  expect(tokens.shape).toEqual([20, 8]);
  const learnt = tokenizer.decode(Array.from(training));
  for (let row = 0; row < 20; row++) {
    expect(learnt).toContain(tokenizer.decode(Array.from(tokens.data.slice(8 * row, 8 * row + 8))));
  }
});

test("training learns what follows what", async () => {
  const { metrics } = await train(resolveTarget("text", { set: { ...tiny, text, learningRate: 0.02 } }), {
    threads: 1,
  });
  // A space and one letter of two, twice as often c as a: log2(3) a letter. Before a word: 1 bit at most, of 3.
  expect(metrics.unigramBitsPerByte).toBeGreaterThan(2);
  expect(metrics.unigramBitsPerByte).toBeLessThan(2.5);
  expect(metrics.bitsPerByte).toBeLessThan(0.8);
  expect(metrics.bitsPerByte! * Math.LN2).toBeCloseTo(metrics.heldOutLoss!, 9);
});
