/**
 * What a language model knows of the built-in stories, by forced choice: whether it gives the word that the story's latent structure asks for
 * more than those that it rules out. Chance levels and the shortcut that would do without the structure stand beside each.
 */
import { type Story, STORY_VOCABULARY } from "../data/story-grammar.ts";
import type { Values } from "../engine/index.ts";

/** One choice: the position of the word in its story, the id of the word and of the others, the first of them being what a shortcut takes. */
export interface Choice {
  readonly position: number;
  readonly right: number;
  readonly others: readonly number[];
  /** What a shortcut would take. */
  readonly shortcut: number;
}

/**
 * Verbs that show agreement, where a noun of the other number stands between them and their subject: which form? The shortcut agrees with
 * the nearest noun, and is always wrong.
 */
export function agreementChoices({ latents, tokens }: Story): Choice[] {
  const { otherForm, subject, number, role } = latents;
  return Array.from(tokens).flatMap((right, position) => {
    const [other, head] = [otherForm[position]!, subject[position]!];
    if (other < 0 || head < 0 || head > position) return [];
    const attracts = (at: number): boolean =>
      role[at] !== "none" && number[at] !== "none" && number[at] !== number[head];
    const between = Array.from({ length: position - head - 1 }, (_, i) => head + 1 + i);
    return between.some(attracts) ? [{ position, right, others: [other], shortcut: other }] : [];
  });
}

/**
 * Nouns and names that earlier events decide, who has a thing or where somebody is: which of those of their kind that the story has spoken
 * of? The shortcut takes the one spoken of last.
 *
 * @param fact who has it: `owner`; where somebody is: `place`
 */
export function factChoices({ latents, tokens, entities }: Story, fact: "owner" | "place"): Choice[] {
  const { entity, part } = latents;
  return Array.from(tokens).flatMap((right, position) => {
    const answer = entities[entity[position]!];
    if (latents.fact[position] !== fact || answer === undefined) return [];
    const before = Array.from(entity.slice(0, position)).filter((id, at) => id >= 0 && part[at] !== "relative");
    // The article has told already whether it is a name.
    const fits = (id: number): boolean =>
      (entities[id]!.kind === "place") === (fact === "place") &&
      entities[id]!.kind !== "thing" &&
      entities[id]!.named === answer.named;
    const candidates = before.filter(fits);
    const ids = [...new Set(candidates)].map((id) => wordOf(entities[id]!.word));
    const others = ids.filter((id) => id !== right);
    if (others.length === 0) return [];
    return [{ position, right, others, shortcut: wordOf(entities[candidates.at(-1)!]!.word) }];
  });
}

const IDS: ReadonlyMap<string, number> = new Map(STORY_VOCABULARY.words.map((word, id) => [word, id]));
const wordOf = (word: string): number => IDS.get(word)!;

/** How often something chose right. */
export interface Accuracy {
  readonly model: number;
  /** Of a guess among the choices. */
  readonly chance: number;
  readonly shortcut: number;
  readonly count: number;
}

/**
 * How often a model gives the right word more than each of the others.
 *
 * @param logits `batch pos vocab`, a row a story: position t has those of the story's token t + 1; choices beyond are left out
 */
export function accuracy(list: readonly Story[], choicesOf: (story: Story) => Choice[], logits: Values): Accuracy {
  const [, positions, vocab] = logits.shape as [number, number, number];
  const found = list.flatMap((story, row) =>
    choicesOf(story)
      .filter(({ position }) => position <= positions)
      .map(({ position, right, others, shortcut }) => {
        const at = (row * positions + position - 1) * vocab;
        return {
          model: Number(others.every((other) => logits.data[at + right]! > logits.data[at + other]!)),
          chance: 1 / (1 + others.length),
          shortcut: Number(shortcut === right),
        };
      }),
  );
  const mean = (key: "model" | "chance" | "shortcut"): number =>
    found.reduce((total, row) => total + row[key], 0) / found.length;
  return { model: mean("model"), chance: mean("chance"), shortcut: mean("shortcut"), count: found.length };
}
