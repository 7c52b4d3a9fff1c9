/** The first mention of somebody or something: writes it, and adds it to the world. */
import { ANIMALS, COUNTS, type GrammaticalNumber, NAMES, type Noun, PEOPLE } from "./lexicon.ts";
import type { Entity, World } from "./world.ts";
import type { Option, Piece, Role, StoryWriter } from "./writer.ts";

/** Where a story is written, and what it is about. */
export interface Telling {
  readonly writer: StoryWriter;
  readonly world: World;
}

const ADJECTIVE = 0.5;

export const word = (word: string, part: Piece["part"]): Piece => ({ word, part });

/** Options that share a weight. */
export const equally = <T>(pieces: readonly (readonly Piece[])[], weight: number, value: T): Option<T>[] =>
  pieces.map((list) => ({ pieces: list, weight: weight / pieces.length, value }));

/** Somebody with a name nobody has yet. */
export function newName({ writer, world }: Telling): Entity {
  const options = (["she", "he"] as const).flatMap((pronoun) =>
    NAMES[pronoun]
      .filter((name) => !world.isUsed(name))
      .map((name) => ({ pieces: [word(name, "name")], weight: 1, value: { name, pronoun } })),
  );
  const { name, pronoun } = writer.emit(options);
  const entity = world.add({ kind: "person", word: name, lemma: name, number: "singular", pronoun, named: true });
  writer.refer({ role: "agent", number: "singular", entity: entity.id });
  return entity;
}

/** `a small fox`, `two foxes`: of a noun not used yet. */
export function newNoun(
  { writer, world }: Telling,
  nouns: readonly Noun[],
  number: GrammaticalNumber,
  adjectives: readonly string[],
  role: Role,
): Entity {
  const free = nouns.filter((noun) => !world.isUsed(noun.singular));
  if (number === "plural") {
    const counts = COUNTS.map((count) => [word(count, "determiner")]);
    writer.emit(equally(counts, 1, undefined));
  }
  // The article shows what follows it, so it is chosen with the word after it: an adjective, or the noun at once.
  const withArticle = (first: Piece): Piece[] => {
    const article = word(/^[aeiou]/.test(first.word) ? "an" : "a", "determiner");
    return number === "singular" ? [{ ...article, number }, first] : [first];
  };
  const nounPieces = free.map((noun) => word(noun[number], "noun"));
  const adjectivePieces = adjectives.map((adjective) => withArticle(word(adjective, "adjective")));
  const adjective = writer.emit([
    ...adjectivePieces.map((pieces, i) => ({ pieces, weight: ADJECTIVE / adjectives.length, value: adjectives[i] })),
    ...equally(nounPieces.map(withArticle), 1 - ADJECTIVE, undefined),
  ]);
  if (adjective !== undefined)
    writer.emit(
      equally(
        nounPieces.map((piece) => [piece]),
        1,
        undefined,
      ),
    );
  const noun = free.find((candidate) => candidate[number] === writer.lastWord)!;
  const entity = world.add({
    kind: ANIMALS.includes(noun) ? "animal" : PEOPLE.includes(noun) ? "person" : "thing",
    word: noun[number],
    lemma: noun.singular,
    number,
    pronoun: number === "plural" ? "they" : noun.pronoun,
    named: false,
    ...(adjective !== undefined && { adjective }),
  });
  writer.refer({ role, number, entity: entity.id });
  return entity;
}

/** A place of several, whether spoken of before or not; its noun is the last word of its option. */
export function newPlace({ writer, world }: Telling, options: readonly Option<string>[]): Entity {
  const place = world.place(writer.emit(options));
  writer.refer({ role: "place", number: "singular", entity: place.id });
  return place;
}
