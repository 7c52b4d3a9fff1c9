/** The phrases of a story: who is spoken of, with what beside the noun, and the verbs that agree. */
import { NEARNESS, objectForm, STATIVES, type Verb } from "./lexicon.ts";
import { bare, type Entity, inPlace, mentions, type World } from "./world.ts";
import type { Fact, Option, Piece, StoryWriter } from "./writer.ts";

export type Tense = "past" | "present";

/** A phrase just written: what it refers to, and the position of its head. */
export interface Phrase {
  readonly entity: Entity;
  readonly at: number;
}

/** Relative clauses within relative clauses go no deeper. */
const DEEPEST_CLAUSE = 2;

const PRONOUN_WEIGHT = 0.5;
/** Nothing, a prepositional phrase, a relative clause: beside a subject, and beside another noun. */
const MODIFIERS = { subject: [0.5, 0.25, 0.25], object: [0.8, 0, 0.2], inner: [0.6, 0.15, 0.25] } as const;

export class Phrases {
  readonly writer: StoryWriter;
  readonly world: World;
  /** The last sentence's subject and all that it spoke of: what pronouns can refer to. */
  previous: { readonly subject?: Entity; readonly mentioned: ReadonlySet<number> } = { mentioned: new Set() };

  constructor(writer: StoryWriter, world: World) {
    this.writer = writer;
    this.world = world;
  }

  /** Options to speak of any of these as a subject; the last sentence's may be a pronoun where only one fits. */
  subjectOptions(candidates: readonly Entity[]): Option<Entity>[] {
    return candidates.flatMap((entity) => {
      const clear = entity === this.previous.subject && this.#standsAlone(entity, this.previous.mentioned);
      return withPronoun(entity, mentions(entity, "agent"), clear && entity.pronoun, "agent");
    });
  }

  /** A subject with what stands beside it, for a verb in `tense`. */
  subject(tense: Tense): Phrase {
    const { writer } = this;
    const entity = writer.emit(this.subjectOptions(this.world.characters));
    const phrase = { entity, at: writer.length - 1 };
    this.modifiers(phrase, [entity], tense, "subject");
    return phrase;
  }

  /** The object of a verb whose subject is `subject`, with what stands beside it. */
  object(subject: Entity, tense: Tense): void {
    const { writer } = this;
    const nearby = new Set([...this.previous.mentioned, subject.id]);
    const options = this.world.characters
      .filter((entity) => entity !== subject)
      .flatMap((entity) => {
        const clear = this.previous.mentioned.has(entity.id) && this.#standsAlone(entity, nearby);
        return withPronoun(entity, mentions(entity, "object"), clear && objectForm(entity.pronoun), "object");
      });
    const entity = writer.emit(options);
    this.modifiers({ entity, at: writer.length - 1 }, [subject, entity], tense, "object");
  }

  /** No other character or thing spoken of shares its pronoun. */
  #standsAlone(entity: Entity, spokenOf: ReadonlySet<number>): boolean {
    return [...this.world.characters, ...this.world.things].every(
      (other) => other === entity || !spokenOf.has(other.id) || other.pronoun !== entity.pronoun,
    );
  }

  /**
   * What stands beside a noun: nothing, a prepositional phrase, or a relative clause. One at most, so that it is always clear to which
   * noun it belongs.
   *
   * @param chain the nouns around, which are not spoken of again within
   */
  modifiers(phrase: Phrase, chain: readonly Entity[], tense: Tense, where: keyof typeof MODIFIERS): void {
    const { writer, world } = this;
    const { entity, at } = phrase;
    if (entity.named || this.#isPronoun(at)) return;
    const others = world.characters.filter((other) => !chain.includes(other));
    const [none, beside, relative] = MODIFIERS[where];
    const deep = writer.clauseDepth >= DEEPEST_CLAUSE || others.length === 0;
    const branch = writer.fork([none, beside, deep ? 0 : relative]);
    if (branch === 1) writer.emit(this.#besides(entity, chain));
    if (branch === 2) this.#relativeClause(phrase, others, chain, tense);
  }

  #isPronoun(at: number): boolean {
    return this.writer.partAt(at) === "pronoun";
  }

  /** `near the cat`, `in the garden`, `with the keys`: all of them true. */
  #besides(entity: Entity, chain: readonly Entity[]): Option<undefined>[] {
    const preposition = (word: string): Piece => ({ word, part: "preposition" });
    const companions = this.world.companions(entity).filter((other) => !chain.includes(other));
    const options = [
      inPlace(this.world.placeOf(entity)),
      ...companions.flatMap((other) => NEARNESS.map((word) => [preposition(word), ...bare(other, "attractor")])),
      ...this.world.thingsOf(entity).map((thing) => [preposition("with"), ...bare(thing, "attractor")]),
    ];
    return options.map((pieces) => ({ pieces, weight: 1, value: undefined }));
  }

  /** `that likes the cats`, or `that the cats like`; who for people. */
  #relativeClause(phrase: Phrase, others: readonly Entity[], chain: readonly Entity[], tense: Tense): void {
    const { writer } = this;
    writer.clauseDepth++;
    writer.say({
      word: phrase.entity.kind === "person" ? "who" : "that",
      part: "relative",
      entity: phrase.entity.id,
    });
    const inner = (role: "object" | "agent"): Phrase => {
      const options = others.flatMap((entity) =>
        mentions(entity, role).map((mention) => ({ ...mention, value: entity })),
      );
      const entity = writer.emit(options);
      const found = { entity, at: writer.length - 1 };
      this.modifiers(found, [...chain, entity], tense, "inner");
      return found;
    };
    const verbFor = (subject: Phrase): void =>
      writer.emit(STATIVES.map((verb) => ({ pieces: [verbPiece(verb, tense, subject)], weight: 1, value: undefined })));
    if (writer.fork([1, 1]) === 0) {
      verbFor(phrase);
      inner("object");
    } else verbFor(inner("agent"));
    writer.clauseDepth--;
  }
}

/** Mentions of an entity, with a pronoun among them where one may stand. */
function withPronoun(
  entity: Entity,
  full: readonly Omit<Option<Entity>, "value">[],
  pronoun: string | false,
  role: "agent" | "object",
): Option<Entity>[] {
  const share = pronoun === false ? 1 : 1 - PRONOUN_WEIGHT;
  const options = full.map(({ pieces, weight }) => ({ pieces, weight: weight * share, value: entity }));
  if (pronoun === false) return options;
  const piece: Piece = { word: pronoun, part: "pronoun", role, number: entity.number, entity: entity.id };
  return [...options, { pieces: [piece], weight: PRONOUN_WEIGHT, value: entity }];
}

/** A verb in the form that its subject asks for. */
export function verbPiece(verb: Verb, tense: Tense, { entity, at }: Phrase): Piece {
  if (tense === "past") return { word: verb.past, part: "verb", subject: at };
  return agreeing(verb.singular, verb.plural, { entity, at });
}

/** The one of two forms that agrees, with the other kept beside it. */
export function agreeing(singular: string, plural: string, { entity, at }: Phrase): Piece {
  const [word, otherForm] = entity.number === "singular" ? [singular, plural] : [plural, singular];
  return { word, part: "verb", number: entity.number, subject: at, otherForm };
}

const BE = { past: ["was", "were"], present: ["is", "are"] } as const;

/** A form of `be` that agrees. */
export function be(tense: Tense, phrase: Phrase): Piece {
  return agreeing(BE[tense][0], BE[tense][1], phrase);
}

export const punctuation = (word: string): Piece => ({ word, part: "punctuation" });

/** A thing's definite mentions, to be had or handed on. */
export function things(list: readonly Entity[], fact: Fact = "none"): Option<Entity>[] {
  return list.flatMap((thing) => mentions(thing, "possession", fact).map((option) => ({ ...option, value: thing })));
}
