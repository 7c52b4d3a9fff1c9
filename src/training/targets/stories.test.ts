import { expect, test } from "vitest";
import { stories, STORY_VOCABULARY } from "../../data/story-grammar.ts";
import { interpret, itemOf } from "../../engine/index.ts";
import { weightInputs } from "../../network/network.ts";
import { constant, foldIn, keyFromSeed } from "../../tensor/index.ts";
import { resolveTarget, targetNamed, train } from "../targets.ts";
import { nextTokenLosses, startingWeights } from "../transformer-start.ts";
import { type StoriesSettings, storiesNetwork, storyLoss } from "./stories.ts";

const tiny = { stories: 64, context: 40, layers: 1, width: 16, heads: 2, mlpWidth: 16, batch: 8, steps: 60 };
const target = targetNamed("stories");
const { settings } = resolveTarget("stories", { set: tiny });

test("batches are beginnings of stories, one a row", async () => {
  const tables = await target.tables!(settings);
  expect(tables.stories!.shape).toEqual([64, 41]);
  const { tokens } = interpret({ tokens: target.batch("data", settings, 8) }, tables, keyFromSeed(3));
  expect(tokens.shape).toEqual([8, 40]);
  const known = stories(foldIn(keyFromSeed(0), "stories"), 64).map((story) => story.tokens.slice(0, 40).join());
  for (let row = 0; row < 8; row++) {
    const ids = Array.from(tokens.data.slice(40 * row, 40 * (row + 1)));
    const length = ids.includes(STORY_VOCABULARY.eos) ? ids.indexOf(STORY_VOCABULARY.eos) + 1 : 40;
    expect(known.filter((story) => story === ids.slice(0, length).join())).toHaveLength(1);
    expect(ids.slice(length).every((id) => id === STORY_VOCABULARY.pad)).toBe(true);
  }
});

test("training learns more than word frequencies are worth, and cannot beat the grammar", async () => {
  const { metrics } = await train(resolveTarget("stories", { set: { ...tiny, learningRate: 0.01 } }), { threads: 1 });
  for (const { metric } of target.success) expect(metrics[metric]).toBeTypeOf("number");
  expect(metrics.heldOutLoss).toBeLessThan(metrics.unigramLoss!);
  expect(metrics.heldOutLoss).toBeGreaterThan(metrics.lossFloor!);
  // Twenty stories' words, and what the grammar leaves open at the beginning of stories.
  expect(metrics.unigramLoss).toBeGreaterThan(3.5);
  expect(metrics.lossFloor).toBeGreaterThan(0.8);
  expect(metrics.lossFloor).toBeLessThan(1.3);
});

test("padding does not count", () => {
  const network = storiesNetwork(settings as unknown as StoriesSettings);
  const weights = startingWeights(network, keyFromSeed(0), { embed: 1, unembed: 1 });
  const { eos, bos, pad } = STORY_VOCABULARY;
  const tokens = constant("batch pos", { batch: 2, pos: 5 }, [bos, 20, 30, 40, eos, bos, 50, eos, pad, pad], "i32");
  const traced = weightInputs(network.weights);
  const { loss, each } = interpret(
    { loss: storyLoss(network, traced, tokens), each: nextTokenLosses(network, traced, tokens) },
    weights,
  );
  const counted = Array.from(each.data).filter((_, i) => i !== 6 && i !== 7);
  expect(itemOf(loss)).toBeCloseTo(counted.reduce((a, b) => a + b) / 6, 10);
  expect(itemOf(loss)).not.toBeCloseTo(Array.from(each.data).reduce((a, b) => a + b) / 8, 2);
});
