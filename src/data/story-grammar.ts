/**
 * Short stories from a grammar of our own, with everything that is true of them: who acts, what agrees with what, who has what and
 * where, how deep clauses nest, which words mean the same one. No download, a closed vocabulary, and the exact probability of every token given
 * those before it, so the least possible loss is known at every position.
 *
 * What a model must learn: that verbs agree with their subject and not with the nouns between ("the dogs near the cat run"), also from within nested
 * relative clauses; whom a pronoun means; and how things stand, since gifts, thefts and journeys change the answers to "who has the ball?" and "where
 * are the dogs?".
 */
import { MechanistError } from "../error.ts";
import { foldIn, type Key, threefry2x32 } from "../tensor/index.ts";
import { BOS, decodeStory, encodeStory, EOS, PAD, wordId, WORDS } from "./story-grammar/lexicon.ts";
import { type StorySentence, Teller } from "./story-grammar/teller.ts";
import type { Entity } from "./story-grammar/world.ts";
import type { StoryLatents } from "./story-grammar/writer.ts";

export type { GrammaticalNumber } from "./story-grammar/lexicon.ts";
export type { StoryEvent, StorySentence } from "./story-grammar/teller.ts";
export type { Entity } from "./story-grammar/world.ts";
export type { Fact, PartOfSpeech, Role, StoryLatents } from "./story-grammar/writer.ts";

/** The stories' tokens. Texts and ids are exact images of each other, but for marks. */
export const STORY_VOCABULARY = {
  /** By id. */
  words: WORDS,
  size: WORDS.length,
  pad: wordId(PAD),
  bos: wordId(BOS),
  eos: wordId(EOS),
  encode: encodeStory,
  decode: decodeStory,
} as const;

/** A story, and all that is known of it. */
export interface Story {
  /** Begins with BOS and ends with EOS. */
  readonly tokens: Int32Array;
  readonly text: string;
  /** By token. */
  readonly latents: StoryLatents;
  readonly entities: readonly Entity[];
  readonly sentences: readonly StorySentence[];
}

/** The story of a key: always the same. */
export function story(key: Key): Story {
  let draws = 0;
  const teller = new Teller(() => {
    const [a, b] = threefry2x32(key, [0, draws++]);
    return ((a ^ b) >>> 0) * 2 ** -32;
  });
  teller.tell();
  const { tokens, latents } = teller.writer.finish();
  return { tokens, text: decodeStory(tokens), latents, entities: teller.world.entities, sentences: teller.sentences };
}

/** Independent stories; the first of more are the same stories. */
export function stories(key: Key, count: number): Story[] {
  if (!Number.isInteger(count) || count < 0) {
    throw new MechanistError("BadArgument", `stories: expected a whole number of them, got ${count}`);
  }
  return Array.from({ length: count }, (_, i) => story(foldIn(key, i)));
}

/** The least loss that any model can have on some tokens, in nats a token. */
export interface OptimalLoss {
  readonly loss: number;
  readonly tokens: number;
}

/**
 * The mean of -ln P(token | tokens before) over tokens that a predicate picks; all but BOS unless said otherwise. Exact for these stories; over
 * many, an unbiased estimate of the entropy a token.
 *
 * It supposes that a model sees the story from its beginning.
 *
 * @param picks told a story and a position in it
 */
export function optimalLoss(
  list: readonly Story[],
  picks: (story: Story, position: number) => boolean = () => true,
): OptimalLoss {
  let loss = 0;
  let tokens = 0;
  for (const story of list) {
    story.latents.probability.forEach((p, position) => {
      if (position === 0 || !picks(story, position)) return;
      loss -= Math.log(p);
      tokens++;
    });
  }
  return { loss: loss / tokens, tokens };
}
