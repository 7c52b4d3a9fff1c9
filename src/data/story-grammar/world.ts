/** Who and what a story is about, and how things stand: who has what, who is where. */
import { type GrammaticalNumber, PLACES, type Pronoun } from "./lexicon.ts";
import type { Fact, Option, Piece, Role } from "./writer.ts";

export interface Entity {
  readonly id: number;
  readonly kind: "person" | "animal" | "thing" | "place";
  /** The noun in its number, or the name. */
  readonly word: string;
  readonly number: GrammaticalNumber;
  readonly pronoun: Pronoun;
  /** Whether `word` is a name, which takes no article. */
  readonly named: boolean;
  readonly adjective?: string;
  /** The noun in the singular: no two entities of a story share it. */
  readonly lemma: string;
}

/** How things stand, by entity. */
export interface WorldState {
  /** Who has each thing. */
  readonly owners: ReadonlyMap<number, number>;
  /** Where each character is. */
  readonly places: ReadonlyMap<number, number>;
}

export class World {
  readonly entities: Entity[] = [];
  readonly #owners = new Map<number, number>();
  readonly #places = new Map<number, number>();

  add(entity: Omit<Entity, "id">): Entity {
    const added = { ...entity, id: this.entities.length };
    this.entities.push(added);
    return added;
  }

  get characters(): Entity[] {
    return this.entities.filter(({ kind }) => kind === "person" || kind === "animal");
  }

  get things(): Entity[] {
    return this.entities.filter(({ kind }) => kind === "thing");
  }

  /** The entity of a place, new when it has not been spoken of. */
  place(noun: string): Entity {
    const known = this.entities.find(({ kind, word }) => kind === "place" && word === noun);
    return (
      known ?? this.add({ kind: "place", word: noun, lemma: noun, number: "singular", pronoun: "it", named: false })
    );
  }

  isUsed(lemma: string): boolean {
    return this.entities.some((entity) => entity.lemma === lemma);
  }

  move(character: Entity, place: Entity): void {
    this.#places.set(character.id, place.id);
  }

  hand(thing: Entity, owner: Entity): void {
    this.#owners.set(thing.id, owner.id);
  }

  ownerOf(thing: Entity): Entity {
    return this.entities[this.#owners.get(thing.id)!]!;
  }

  placeOf(character: Entity): Entity {
    return this.entities[this.#places.get(character.id)!]!;
  }

  thingsOf(owner: Entity): Entity[] {
    return this.things.filter((thing) => this.#owners.get(thing.id) === owner.id);
  }

  /** Characters in the same place. */
  companions(of: Entity): Entity[] {
    const place = this.#places.get(of.id);
    return this.characters.filter((other) => other !== of && this.#places.get(other.id) === place);
  }

  state(): WorldState {
    return { owners: new Map(this.#owners), places: new Map(this.#places) };
  }
}

/** `the`, which goes with either number. */
const the: Piece = { word: "the", part: "determiner" };

function head(entity: Entity, role: Role, fact: Fact): Piece {
  const { word, number, id, named } = entity;
  return { word, part: named ? "name" : "noun", role, number, entity: id, fact };
}

/** The shortest definite mention: `anna`, `the dogs`. */
export function bare(entity: Entity, role: Role, fact: Fact = "none"): readonly Piece[] {
  return entity.named ? [head(entity, role, fact)] : [{ ...the, fact }, head(entity, role, fact)];
}

const WITH_ADJECTIVE = 0.3;

/** The definite mentions without a pronoun: `the ball`, `the red ball`. */
export function mentions(entity: Entity, role: Role, fact: Fact = "none"): Omit<Option<Entity>, "value">[] {
  const { adjective } = entity;
  if (adjective === undefined) return [{ pieces: bare(entity, role, fact), weight: 1 }];
  const long = [the, { word: adjective, part: "adjective" } as const, head(entity, role, fact)];
  return [
    { pieces: bare(entity, role, fact), weight: 1 - WITH_ADJECTIVE },
    { pieces: long, weight: WITH_ADJECTIVE },
  ];
}

/** Being there: `in the garden`. */
export function inPlace(place: Entity, fact: Fact = "none"): readonly Piece[] {
  const { preposition } = PLACES.find(({ noun }) => noun === place.word)!;
  return [{ word: preposition, part: "preposition", fact }, ...bare(place, "place", fact)];
}
