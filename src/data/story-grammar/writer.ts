/**
 * Writes a story word by word from random choices, keeping the exact probability of each word given those before it.
 *
 * That works because every choice shows: the options of one choice begin no other's words, and what follows an option without words differs
 * from what the other options begin with. So the words so far tell all choices so far.
 */
import { MechanistError } from "../../error.ts";
import { type GrammaticalNumber, wordId } from "./lexicon.ts";

export type PartOfSpeech =
  | "mark"
  | "punctuation"
  | "determiner"
  | "adjective"
  | "noun"
  | "name"
  | "pronoun"
  | "verb"
  | "preposition"
  | "adverb"
  | "relative"
  | "question";

/** What a noun, name or pronoun does in its clause. */
export type Role =
  /** The subject of the verb. */
  | "agent"
  | "object"
  | "recipient"
  | "source"
  | "possession"
  | "place"
  /** Beside the subject, in a prepositional phrase of its own. */
  | "attractor"
  | "none";

/** Why nothing else could stand here: who has a thing, or where somebody is. */
export type Fact = "owner" | "place" | "none";

/** A word with what is known of it. */
export interface Piece {
  readonly word: string;
  readonly part: PartOfSpeech;
  readonly role?: Role;
  readonly number?: GrammaticalNumber;
  readonly entity?: number;
  /** Of a finite verb: the position of its subject's head. */
  readonly subject?: number;
  /** Of a verb whose form shows agreement: the form of the other number. */
  readonly otherForm?: string;
  readonly fact?: Fact;
}

/** One way to go on. */
export interface Option<T> {
  readonly pieces: readonly Piece[];
  /** Relative to the other options. */
  readonly weight: number;
  readonly value: T;
}

/** What is known of each token of a story; every list has one entry a token. */
export interface StoryLatents {
  readonly part: readonly PartOfSpeech[];
  readonly role: readonly Role[];
  /** Of nouns, names, pronouns, determiners that show it, and verbs whose form shows it. */
  readonly number: readonly (GrammaticalNumber | "none")[];
  /** Index into the story's entities: nouns, names and pronouns that refer to the same one share it; -1 for other words. */
  readonly entity: Int32Array;
  /** For a finite verb, the position of its subject's head, which may come later (`there was a fox`); -1 for other words. */
  readonly subject: Int32Array;
  /** For a verb whose form shows agreement, the id of the form of the other number, which would be wrong; -1 for other words. */
  readonly otherForm: Int32Array;
  /** In how many relative clauses the word stands. */
  readonly clauseDepth: Uint8Array;
  /** 1 inside quoted speech. */
  readonly quoteDepth: Uint8Array;
  /** Index into the story's sentences; -1 for marks. */
  readonly sentence: Int32Array;
  /** Where earlier events leave no choice (`probability` is 1), the kind of fact that decides. */
  readonly fact: readonly Fact[];
  /** P(token | all tokens before it), exactly. The optimal loss here is minus its logarithm. */
  readonly probability: Float64Array;
}

interface Written {
  readonly piece: Piece;
  readonly clauseDepth: number;
  readonly quoteDepth: number;
  readonly sentence: number;
  readonly probability: number;
}

export class StoryWriter {
  clauseDepth = 0;
  quoteDepth = 0;
  sentence = -1;
  readonly #uniform: () => number;
  readonly #written: Written[] = [];
  readonly #links = new Map<number, number>();
  /** The probability of choices that no word has shown yet. */
  #pending = 1;

  /** @param uniform independent draws from U[0, 1) */
  constructor(uniform: () => number) {
    this.#uniform = uniform;
  }

  /** The position of the next word. */
  get length(): number {
    return this.#written.length;
  }

  /** Writes words that nothing else could stand for. */
  say(...pieces: readonly Piece[]): void {
    for (const piece of pieces) this.#write(piece, 1);
  }

  /** Chooses a branch whose first word shows which it is. */
  fork(weights: readonly number[]): number {
    const chosen = this.#draw(weights);
    this.#pending *= weights[chosen]! / weights.reduce((a, b) => a + b, 0);
    return chosen;
  }

  /** Chooses an option and writes its words. */
  emit<T>(options: readonly Option<T>[]): T {
    const { pieces, value } = options[this.#draw(options.map((option) => option.weight))]!;
    let possible = options;
    let before = weigh(possible);
    pieces.forEach((piece, i) => {
      possible = possible.filter((option) => option.pieces[i]?.word === piece.word);
      // The last word leaves one option, and no option ended before.
      if (possible.some((option) => option.pieces.length === i + 1 && option.pieces !== pieces))
        throw ambiguous(pieces);
      const after = weigh(possible);
      this.#write(piece, after / before);
      before = after;
    });
    if (possible.length !== 1) throw ambiguous(pieces);
    return value;
  }

  get lastWord(): string {
    return this.#written.at(-1)!.piece.word;
  }

  /** What the word at a position is. */
  partAt(position: number): PartOfSpeech {
    return this.#written[position]!.piece.part;
  }

  /** Says what the last word refers to, where writing it decided that. */
  refer(to: Pick<Piece, "role" | "number" | "entity">): void {
    const last = this.#written.pop()!;
    this.#written.push({ ...last, piece: { ...last.piece, ...to } });
  }

  /** Says which noun is the subject of a verb that stands before it. */
  link(verb: number, subject: number): void {
    this.#links.set(verb, subject);
  }

  /** The entities named since position `from`. */
  mentioned(from: number): Set<number> {
    return new Set(
      this.#written.slice(from).flatMap(({ piece }) => (piece.entity === undefined ? [] : [piece.entity])),
    );
  }

  /** The story so far. */
  finish(): { tokens: Int32Array; latents: StoryLatents } {
    const each = <T>(of: (written: Written, position: number) => T): T[] => this.#written.map(of);
    const latents: StoryLatents = {
      part: each(({ piece }) => piece.part),
      role: each(({ piece }) => piece.role ?? "none"),
      number: each(({ piece }) => piece.number ?? "none"),
      entity: Int32Array.from(each(({ piece }) => piece.entity ?? -1)),
      subject: Int32Array.from(each(({ piece }, i) => piece.subject ?? this.#links.get(i) ?? -1)),
      otherForm: Int32Array.from(each(({ piece }) => (piece.otherForm === undefined ? -1 : wordId(piece.otherForm)))),
      clauseDepth: Uint8Array.from(each((written) => written.clauseDepth)),
      quoteDepth: Uint8Array.from(each((written) => written.quoteDepth)),
      sentence: Int32Array.from(each((written) => written.sentence)),
      fact: each(({ piece, probability }) => (probability === 1 ? (piece.fact ?? "none") : "none")),
      probability: Float64Array.from(each((written) => written.probability)),
    };
    return { tokens: Int32Array.from(each(({ piece }) => wordId(piece.word))), latents };
  }

  #write(piece: Piece, probability: number): void {
    const { clauseDepth, quoteDepth, sentence } = this;
    this.#written.push({ piece, clauseDepth, quoteDepth, sentence, probability: probability * this.#pending });
    this.#pending = 1;
  }

  #draw(weights: readonly number[]): number {
    let rest = this.#uniform() * weights.reduce((x, y) => x + y, 0);
    const at = weights.findIndex((weight) => (rest -= weight) < 0);
    return at >= 0 ? at : weights.findLastIndex((weight) => weight > 0);
  }
}

function weigh(options: readonly Option<unknown>[]): number {
  return options.reduce((total, option) => total + option.weight, 0);
}

function ambiguous(pieces: readonly Piece[]): MechanistError {
  const words = pieces.map((piece) => piece.word).join(" ");
  return new MechanistError("Internal", `story grammar: expected options that begin no other, got "${words}"`);
}
