/** Tells one story: who there was and where, who had what, what happened, and how it ended. */
import {
  ANIMALS,
  BOS,
  COLOURS,
  DEEDS,
  EOS,
  INTRANSITIVES,
  MOODS,
  PEOPLE,
  PLACES,
  STATIVES,
  THINGS,
  TRAITS,
} from "./lexicon.ts";
import { agreeing, be, Phrases, type Phrase, punctuation, type Tense, things, verbPiece } from "./phrases.ts";
import { equally, newName, newNoun, newPlace, word } from "./introductions.ts";
import { bare, type Entity, inPlace, mentions, World, type WorldState } from "./world.ts";
import { type Option, type Piece, StoryWriter } from "./writer.ts";

/** What happens in a sentence, with who takes part by entity. */
export interface StoryEvent {
  readonly kind:
    "introduce" | "have" | "find" | "give" | "take" | "go" | "do" | "be" | "say" | "ask-owner" | "ask-place" | "end";
  readonly subject: number;
  readonly thing?: number;
  /** To whom a thing is given, or from whom it is taken. */
  readonly other?: number;
  readonly place?: number;
}

/** One sentence, with how things stand after it. */
export interface StorySentence extends WorldState {
  readonly start: number;
  /** One past its last token. */
  readonly end: number;
  readonly tense: Tense;
  readonly event: StoryEvent;
}

type Happening = Omit<StoryEvent, "subject">;

/** The third character comes with this probability, and after it a fourth. */
const MORE_CHARACTERS = [0.8, 0.5];
const SAME_PLACE = 0.6;
const PLURAL = 0.4;
const NAMED = 0.35;
/** An event, one after `then`, one told of `now`, the two questions. */
const OPENERS = [0.4, 0.15, 0.25, 0.1, 0.1];
const FEWEST_EVENTS = 3;
const MOST_EVENTS = 10;
const GO_ON = 0.75;

export class Teller {
  readonly world = new World();
  readonly writer: StoryWriter;
  readonly sentences: StorySentence[] = [];
  readonly #phrases: Phrases;

  /** @param uniform independent draws from U[0, 1) */
  constructor(uniform: () => number) {
    this.writer = new StoryWriter(uniform);
    this.#phrases = new Phrases(this.writer, this.world);
  }

  tell(): void {
    const { writer } = this;
    writer.say(word(BOS, "mark"));
    this.#introduce(true);
    this.#introduce(false);
    for (const probability of MORE_CHARACTERS) {
      if (writer.fork([probability, 1 - probability]) === 1) break;
      this.#introduce(false);
    }
    this.#have();
    for (let n = 0; n < MOST_EVENTS; n++) {
      if (n >= FEWEST_EVENTS && writer.fork([GO_ON, 1 - GO_ON]) === 1) break;
      this.#event();
    }
    this.#end();
    writer.sentence = -1;
    writer.say(word(EOS, "mark"));
  }

  /** Writes a sentence and keeps what it was about. */
  #sentence(tense: Tense, write: () => { subject: Entity; happening: Happening }): void {
    const { writer, world } = this;
    const start = writer.length;
    writer.sentence = this.sentences.length;
    const { subject, happening } = write();
    const event = { subject: subject.id, ...happening };
    this.#phrases.previous = { subject, mentioned: writer.mentioned(start) };
    this.sentences.push({ start, end: writer.length, tense, event, ...world.state() });
  }

  /** `once there was a small fox in the forest .` and `anna was also in the barn .` */
  #introduce(first: boolean): void {
    this.#sentence("past", () => {
      const { writer, world } = this;
      if (first) writer.say(word("once", "adverb"));
      const named = writer.fork([NAMED, 1 - NAMED]) === 0;
      const also = first ? [] : [word("also", "adverb")];
      let entity: Entity;
      if (named) {
        entity = newName(this);
        writer.say(agreeing("was", "were", { entity, at: writer.length - 1 }), ...also);
      } else {
        writer.say(word("there", "adverb"));
        const number = writer.fork([1 - PLURAL, PLURAL]) === 0 ? "singular" : "plural";
        const verb = writer.length;
        const [form, otherForm] = number === "singular" ? ["was", "were"] : ["were", "was"];
        writer.say({ word: form!, part: "verb", number, otherForm: otherForm! }, ...also);
        entity = newNoun(this, [...PEOPLE, ...ANIMALS], number, TRAITS, "agent");
        writer.link(verb, writer.length - 1);
      }
      const here = world.characters[0] === entity ? undefined : world.placeOf(world.characters[0]!).word;
      const options = PLACES.map(({ noun, preposition }) => ({
        pieces: [word(preposition, "preposition"), word("the", "determiner"), word(noun, "noun")],
        weight: (here === undefined ? 1 : 1 - SAME_PLACE) / PLACES.length + (noun === here ? SAME_PLACE : 0),
        value: noun,
      }));
      const place = newPlace(this, options);
      world.move(entity, place);
      writer.say(punctuation("."));
      return { subject: entity, happening: { kind: "introduce", place: place.id } };
    });
  }

  /** A thing not spoken of before, in either number; its owner is known. */
  #newThing(owner: Entity): Entity {
    const number = this.writer.fork([1 - PLURAL, PLURAL]) === 0 ? "singular" : "plural";
    const thing = newNoun(this, THINGS, number, COLOURS, "possession");
    this.world.hand(thing, owner);
    return thing;
  }

  /** `the fox had a red ball .` */
  #have(): void {
    this.#sentence("past", () => {
      const { writer } = this;
      const subject = writer.emit(this.#phrases.subjectOptions(this.world.characters));
      writer.say({ word: "had", part: "verb", subject: writer.length - 1 });
      const thing = this.#newThing(subject);
      writer.say(punctuation("."));
      return { subject, happening: { kind: "have", thing: thing.id } };
    });
  }

  #event(): void {
    const { writer } = this;
    const opener = writer.fork(OPENERS);
    if (opener === 3) return this.#askOwner();
    if (opener === 4) return this.#askPlace();
    const tense = opener === 2 ? "present" : "past";
    this.#sentence(tense, () => {
      if (opener > 0) writer.say(word(opener === 1 ? "then" : "now", "adverb"));
      const phrase = this.#phrases.subject(tense);
      const options = tense === "past" ? this.#pastVerbs(phrase) : this.#presentVerbs(phrase, tense);
      const happening = writer.emit(options)();
      return { subject: phrase.entity, happening };
    });
  }

  /** Every way for a sentence in the past to go on; what is chosen writes the rest and makes it so. */
  #pastVerbs(phrase: Phrase): Option<() => Happening>[] {
    const { writer, world } = this;
    const { entity, at } = phrase;
    const verb = (form: string): Piece => ({ word: form, part: "verb", subject: at });
    const stop = (happening: Happening): Happening => {
      writer.say(punctuation("."));
      return happening;
    };
    const single = (form: string, weight: number, value: () => Happening): Option<() => Happening> => ({
      pieces: [verb(form)],
      weight,
      value,
    });
    const companions = world.companions(entity);
    const owned = world.thingsOf(entity);
    const takeable = companions.flatMap((other) => world.thingsOf(other));
    const deed = (): Happening => {
      this.#phrases.object(entity, "past");
      return stop({ kind: "do" });
    };
    const options = [
      ...equally(
        INTRANSITIVES.map((v) => [verb(v.past)]),
        2,
        () => stop({ kind: "do" }),
      ),
      ...equally(
        DEEDS.map((v) => [verb(v)]),
        2,
        deed,
      ),
      single("went", 1.5, () => stop(this.#go(entity))),
      ...equally(this.#states(phrase, "past"), 1.5, () => stop({ kind: "be" })),
      single("said", 1.2, () => this.#say(entity)),
    ];
    if (owned.length > 0 && companions.length > 0)
      options.push(single("gave", 2, () => stop(this.#give(entity, owned))));
    if (takeable.length > 0) options.push(single("took", 1.5, () => stop(this.#take(entity, takeable))));
    if (world.things.length < THINGS.length)
      options.push(single("found", 0.6, () => stop({ kind: "find", thing: this.#newThing(entity).id })));
    return options;
  }

  #presentVerbs(phrase: Phrase, tense: Tense): Option<() => Happening>[] {
    const { writer } = this;
    const stop = (): Happening => {
      writer.say(punctuation("."));
      return { kind: "be" };
    };
    const stative = (): Happening => {
      this.#phrases.object(phrase.entity, tense);
      return stop();
    };
    return [
      ...equally(
        INTRANSITIVES.map((v) => [verbPiece(v, tense, phrase)]),
        3,
        () => {
          writer.say(punctuation("."));
          return { kind: "do" } as const;
        },
      ),
      ...equally(
        STATIVES.map((v) => [verbPiece(v, tense, phrase)]),
        3,
        stative,
      ),
      ...equally(this.#states(phrase, tense), 2, stop),
      ...this.#having(phrase.entity, agreeing("has", "have", phrase), stop),
    ];
  }

  /** `was hungry`, one for each mood, and `was in the garden`, as often as all of them. */
  #states(phrase: Phrase, tense: Tense): Piece[][] {
    const verb = be(tense, phrase);
    return this.#statesAfter(verb, phrase.entity);
  }

  #statesAfter(verb: Piece, entity: Entity): Piece[][] {
    const place = [verb, ...inPlace(this.world.placeOf(entity), "place")];
    return [...MOODS.map((mood) => [verb, word(mood, "adjective")]), place];
  }

  /** `has the ball`, where there is something to have. */
  #having<T>(owner: Entity, verb: Piece, value: T): Option<T>[] {
    const owned = this.world.thingsOf(owner);
    const options = things(owned, owned.length === 1 ? "owner" : "none");
    return options.map(({ pieces, weight }) => ({
      pieces: [verb, ...pieces],
      weight: (2 * weight) / owned.length,
      value,
    }));
  }

  #go(who: Entity): Happening {
    const { writer, world } = this;
    writer.say(word("to", "preposition"), word("the", "determiner"));
    const here = world.placeOf(who).word;
    const options = PLACES.filter(({ noun }) => noun !== here).map(({ noun }) => ({
      pieces: [word(noun, "noun")],
      weight: 1,
      value: noun,
    }));
    const place = newPlace(this, options);
    world.move(who, place);
    return { kind: "go", place: place.id };
  }

  /** `gave the ball to anna`, or `gave anna the ball`; everybody concerned is in one place. */
  #give(giver: Entity, owned: readonly Entity[]): Happening {
    const { writer, world } = this;
    const pairs = things(owned).flatMap(({ pieces, weight, value: thing }) =>
      world.companions(giver).flatMap((receiver) => {
        const to = bare(receiver, "recipient");
        const value = { thing, receiver };
        return [
          { pieces: [...pieces, word("to", "preposition"), ...to], weight, value },
          { pieces: [...to, ...pieces], weight, value },
        ];
      }),
    );
    const { thing, receiver } = writer.emit(pairs);
    world.hand(thing, receiver);
    return { kind: "give", thing: thing.id, other: receiver.id };
  }

  #take(taker: Entity, takeable: readonly Entity[]): Happening {
    const { writer, world } = this;
    const thing = writer.emit(things(takeable));
    const owner = world.ownerOf(thing);
    writer.say(word("from", "preposition"), ...bare(owner, "source", "owner"));
    world.hand(thing, taker);
    return { kind: "take", thing: thing.id, other: owner.id };
  }

  /** `said , " i have the ball . "`: what is said is true. */
  #say(speaker: Entity): Happening {
    const { writer } = this;
    writer.say(punctuation(","), punctuation('"'));
    writer.quoteDepth = 1;
    const one = speaker.number === "singular";
    const at = writer.length;
    writer.say({
      word: one ? "i" : "we",
      part: "pronoun",
      role: "agent",
      number: speaker.number,
      entity: speaker.id,
    });
    const verb = (form: string, otherForm: string): Piece => ({
      word: form,
      part: "verb",
      number: speaker.number,
      subject: at,
      otherForm,
    });
    const options: Option<boolean>[] = [
      ...equally(this.#statesAfter(one ? verb("am", "are") : verb("are", "is"), speaker), 2, false),
      ...equally(
        STATIVES.map((v) => [verb(v.plural, v.singular)]),
        2,
        true,
      ),
      ...this.#having(speaker, verb("have", "has"), false),
    ];
    if (writer.emit(options)) this.#phrases.object(speaker, "present");
    writer.say(punctuation("."));
    writer.quoteDepth = 0;
    writer.say(punctuation('"'));
    return { kind: "say" };
  }

  /** `who has the ball ? anna has the ball .` */
  #askOwner(): void {
    this.#sentence("present", () => {
      const { writer, world } = this;
      const has = { word: "has", part: "verb", number: "singular", otherForm: "have" } as const;
      writer.say({ word: "who", part: "question" }, { ...has, subject: writer.length });
      const thing = writer.emit(things(world.things));
      const owner = world.ownerOf(thing);
      writer.say(punctuation("?"), ...bare(owner, "agent", "owner"));
      const phrase = { entity: owner, at: writer.length - 1 };
      writer.say(agreeing("has", "have", phrase), ...bare(thing, "possession"), punctuation("."));
      return { subject: owner, happening: { kind: "ask-owner", thing: thing.id } };
    });
  }

  /** `where are the dogs ? the dogs are in the garden .` */
  #askPlace(): void {
    this.#sentence("present", () => {
      const { writer, world } = this;
      writer.say({ word: "where", part: "question" });
      const verb = writer.length;
      const options = world.characters.flatMap((entity) =>
        mentions(entity, "agent").map(({ pieces, weight }) => {
          const { subject: _, ...form } = be("present", { entity, at: 0 });
          return { pieces: [form, ...pieces], weight, value: entity };
        }),
      );
      const entity = writer.emit(options);
      writer.link(verb, writer.length - 1);
      writer.say(punctuation("?"), ...bare(entity, "agent"));
      writer.say(be("present", { entity, at: writer.length - 1 }));
      const place = world.placeOf(entity);
      writer.say(...inPlace(place, "place"), punctuation("."));
      return { subject: entity, happening: { kind: "ask-place", place: place.id } };
    });
  }

  /** `in the end , the ball was with anna .` */
  #end(): void {
    this.#sentence("past", () => {
      const { writer, world } = this;
      writer.say(word("in", "preposition"), word("the", "determiner"), word("end", "noun"), punctuation(","));
      const thing = writer.emit(
        world.things.flatMap((entity) => mentions(entity, "agent").map((option) => ({ ...option, value: entity }))),
      );
      const owner = world.ownerOf(thing);
      writer.say(be("past", { entity: thing, at: writer.length - 1 }), word("with", "preposition"));
      writer.say(...bare(owner, "recipient", "owner"), punctuation("."));
      return { subject: thing, happening: { kind: "end", thing: thing.id, other: owner.id } };
    });
  }
}
