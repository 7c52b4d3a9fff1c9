/** The words of the stories: a closed vocabulary with exact ids. No word has two parts of speech, and no two verbs share a form. */
import { MechanistError } from "../../error.ts";
import { nearest } from "../../nearest.ts";

export type GrammaticalNumber = "singular" | "plural";
export type Pronoun = "she" | "he" | "it" | "they";

/** A noun in both numbers, with the pronoun of one of them. */
export interface Noun {
  readonly singular: string;
  readonly plural: string;
  readonly pronoun: "she" | "he" | "it";
}

/** A verb: `run`, `runs`, `ran`. */
export interface Verb {
  readonly plural: string;
  readonly singular: string;
  readonly past: string;
}

const list = (text: string): readonly string[] => text.trim().split(/\s+/);
const nouns = (text: string, pronoun?: Noun["pronoun"]): readonly Noun[] =>
  list(text).map((entry) => {
    const [singular, plural, own] = entry.split("/") as [string, string, Noun["pronoun"]?];
    return { singular, plural, pronoun: pronoun ?? own! };
  });
const verbs = (text: string): readonly Verb[] =>
  list(text).map((entry) => {
    const [plural, singular, past] = entry.split("/") as [string, string, string];
    return { plural, singular, past };
  });

export const NAMES: Readonly<Record<"she" | "he", readonly string[]>> = {
  she: list("anna lily rosa mia clara nora"),
  he: list("ben tom max leo oscar hugo"),
};
export const PEOPLE = nouns(
  "boy/boys/he girl/girls/she king/kings/he queen/queens/she man/men/he woman/women/she brother/brothers/he sister/sisters/she",
);
export const ANIMALS = nouns(
  `dog/dogs cat/cats bird/birds fox/foxes mouse/mice rabbit/rabbits horse/horses duck/ducks frog/frogs bear/bears goose/geese
  owl/owls wolf/wolves goat/goats`,
  "it",
);
export const THINGS = nouns(
  `ball/balls key/keys hat/hats book/books lamp/lamps apple/apples cake/cakes box/boxes drum/drums shell/shells coin/coins ring/rings
  kite/kites rope/ropes stone/stones flower/flowers`,
  "it",
);
/** Places with the preposition that says being there. */
export const PLACES: readonly { readonly noun: string; readonly preposition: string }[] = list(
  `garden/in forest/in house/in kitchen/in barn/in castle/in village/in river/at lake/at market/at school/at gate/at hill/on bridge/on
  roof/on`,
).map((entry) => {
  const [noun, preposition] = entry.split("/") as [string, string];
  return { noun, preposition };
});
export const TRAITS = list("small big old young brave quiet clever gentle");
export const COLOURS = list("red blue green yellow white black golden orange");
export const MOODS = list("happy sad tired hungry cold warm proud afraid");
export const INTRANSITIVES = verbs(
  `run/runs/ran sleep/sleeps/slept sing/sings/sang jump/jumps/jumped dance/dances/danced laugh/laughs/laughed swim/swims/swam
  play/plays/played wait/waits/waited smile/smiles/smiled`,
);
/** What one does to another: told in the past. */
export const DEEDS = list("chased helped followed called greeted visited pushed hugged painted thanked");
/** How one stands to another: in relative clauses, and in the present. */
export const STATIVES = verbs(
  `like/likes/liked love/loves/loved know/knows/knew trust/trusts/trusted fear/fears/feared see/sees/saw hear/hears/heard
  need/needs/needed`,
);
export const COUNTS = list("two three some");
export const NEARNESS = list("near beside behind");

const OBJECT_PRONOUNS: Readonly<Record<Pronoun, string>> = { she: "her", he: "him", it: "it", they: "them" };
export const objectForm = (pronoun: Pronoun): string => OBJECT_PRONOUNS[pronoun];

/** Marks that are not words. */
export const PAD = "<pad>";
export const BOS = "<bos>";
export const EOS = "<eos>";

const FUNCTION_WORDS = list(`. , ? " the a an once there also then now who that where in at on with to from end
  was were is are am has have had went gave took found said i we she he it they her him them`);

/** Every token, in the order of its id. */
export const WORDS: readonly string[] = [
  ...[PAD, BOS, EOS],
  ...new Set([
    ...FUNCTION_WORDS,
    ...COUNTS,
    ...NEARNESS,
    ...NAMES.she,
    ...NAMES.he,
    ...[PEOPLE, ANIMALS, THINGS].flat().flatMap((noun) => [noun.singular, noun.plural]),
    ...PLACES.map((place) => place.noun),
    ...TRAITS,
    ...COLOURS,
    ...MOODS,
    ...INTRANSITIVES.flatMap((verb) => [verb.plural, verb.singular, verb.past]),
    ...STATIVES.flatMap((verb) => [verb.plural, verb.singular, verb.past]),
    ...DEEDS,
  ]),
];

const IDS: ReadonlyMap<string, number> = new Map(WORDS.map((word, id) => [word, id]));
const CAPITALISED = new Set([...NAMES.she, ...NAMES.he, "i"]);

/** The id of a word. */
export function wordId(word: string): number {
  const id = IDS.get(word);
  if (id === undefined) {
    const close = nearest(word, WORDS);
    throw new MechanistError(
      "UnknownName",
      `story vocabulary: expected one of its ${WORDS.length} words${close === undefined ? "" : `, ${close} perhaps`}, got ${word}`,
      { word },
    );
  }
  return id;
}

/** Ids of a text; capitals and spaces make no difference. */
export function encodeStory(text: string): number[] {
  return (text.toLowerCase().match(/<\w+>|[a-z]+|\S/g) ?? []).map(wordId);
}

/** Ids as people write them: capitals, no space before a full stop. Marks are left out. */
export function decodeStory(ids: Iterable<number>): string {
  let text = "";
  let starts = true;
  let quoted = false;
  let glued = true;
  for (const id of ids) {
    const word = WORDS[id];
    if (word === undefined) {
      throw new MechanistError(
        "BadArgument",
        `story vocabulary: expected ids from 0 to ${WORDS.length - 1}, got ${id}`,
      );
    }
    if (word.startsWith("<")) continue;
    const opens = word === '"' && !quoted;
    const closes = word === '"' && quoted;
    const tight = glued || closes || /^[.,?]$/.test(word);
    text += (tight ? "" : " ") + (starts || CAPITALISED.has(word) ? word[0]!.toUpperCase() + word.slice(1) : word);
    starts = /^[.?]$/.test(word) || opens || (closes && starts);
    glued = opens;
    if (word === '"') quoted = !quoted;
  }
  return text;
}
