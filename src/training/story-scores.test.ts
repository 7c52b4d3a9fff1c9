import { describe, expect, test } from "vitest";
import { stories, type Story, STORY_VOCABULARY } from "../data/story-grammar.ts";
import { values, type Values } from "../engine/index.ts";
import { keyFromSeed } from "../tensor/index.ts";
import { accuracy, agreementChoices, type Choice, factChoices } from "./story-scores.ts";

const sample = stories(keyFromSeed(5), 300);
const { words, size } = STORY_VOCABULARY;
const POSITIONS = 200;

/** The logits of something that gives one word 1 and all others 0, from what it knows of a choice. */
function answering(choicesOf: (story: Story) => Choice[], answer: (choice: Choice) => number): Values {
  const data = new Float32Array(sample.length * POSITIONS * size);
  sample.forEach((story, row) => {
    for (const choice of choicesOf(story)) data[(row * POSITIONS + choice.position - 1) * size + answer(choice)] = 1;
  });
  return values("batch pos vocab", [sample.length, POSITIONS, size], data);
}

const owner = (story: Story): Choice[] => factChoices(story, "owner");
const place = (story: Story): Choice[] => factChoices(story, "place");

describe.each([
  ["agreement", agreementChoices],
  ["owner", owner],
  ["place", place],
] as const)("%s", (_, choicesOf) => {
  test("whoever knows is always right, who takes the shortcut as often as it says, who says nothing never", () => {
    const knowing = accuracy(
      sample,
      choicesOf,
      answering(choicesOf, ({ right }) => right),
    );
    expect(knowing.model).toBe(1);
    expect(knowing.count).toBeGreaterThan(50);
    const lazy = accuracy(
      sample,
      choicesOf,
      answering(choicesOf, ({ shortcut }) => shortcut),
    );
    expect(lazy.model).toBe(lazy.shortcut);
    expect(lazy.shortcut).toBeLessThan(0.7);
    expect(
      accuracy(
        sample,
        choicesOf,
        answering(
          () => [],
          () => 0,
        ),
      ).model,
    ).toBe(0);
    expect(knowing.chance).toBeGreaterThan(0.2);
    expect(knowing.chance).toBeLessThanOrEqual(0.5);
  });

  test("choices are between words of the story, and its own is right", () => {
    for (const story of sample) {
      for (const { position, right, others, shortcut } of choicesOf(story)) {
        expect(story.tokens[position]).toBe(right);
        expect(others).not.toContain(right);
        expect([right, ...others]).toContain(shortcut);
      }
    }
  });
});

test("agreement: the shortcut is always wrong", () => {
  expect(
    accuracy(
      sample,
      agreementChoices,
      answering(
        () => [],
        () => 0,
      ),
    ).shortcut,
  ).toBe(0);
});

test("of stories read by hand", () => {
  const told = (text: RegExp): Story => sample.find((story) => text.test(story.text))!;
  // "In the end, the … was with anna": the owner is to be chosen among those who were named and, like anna, have a name.
  const story = told(/^Once \w+ was .* There was also an? \w+ .* In the end, the \w+ was with [A-Z]\w+\.$/);
  const last = owner(story).filter(({ position }) => position > story.tokens.length - 4);
  for (const { right, others } of last) {
    const names = story.entities.filter(({ named }) => named).map(({ word }) => word);
    expect([right, ...others].map((id) => words[id]).sort()).toEqual(names.sort());
  }
});

test("what is beyond the positions that a model saw is left out", () => {
  const cut = values("batch pos vocab", [sample.length, 20, size], new Float32Array(sample.length * 20 * size));
  const whole = accuracy(
    sample,
    place,
    answering(place, ({ right }) => right),
  ).count;
  expect(accuracy(sample, place, cut).count).toBeLessThan(whole);
});
