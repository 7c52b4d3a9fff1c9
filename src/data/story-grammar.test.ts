import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyFromSeed, randomUniform } from "../tensor/index.ts";
import { optimalLoss, stories, STORY_VOCABULARY, type Story, story } from "./story-grammar.ts";
import * as lexicon from "./story-grammar/lexicon.ts";
import { Teller } from "./story-grammar/teller.ts";

const { words, encode, decode } = STORY_VOCABULARY;
const sample = stories(keyFromSeed(1), 500);
const wordsOf = ({ tokens }: Story): string[] => Array.from(tokens, (id) => words[id]!);
/** Calls back for every token of every story. */
function eachToken(visit: (story: Story, position: number, word: string) => void): void {
  for (const told of sample) wordsOf(told).forEach((word, position) => visit(told, position, word));
}

describe("vocabulary", () => {
  test("a few hundred words, each once, from no list twice", () => {
    expect(new Set(words).size).toBe(words.length);
    expect(words.length).toBeGreaterThan(200);
    expect(words.length).toBeLessThan(400);
    const verbs = [...lexicon.INTRANSITIVES, ...lexicon.STATIVES].flatMap((v) => [v.plural, v.singular, v.past]);
    const nouns = [...lexicon.PEOPLE, ...lexicon.ANIMALS, ...lexicon.THINGS].flatMap((n) => [n.singular, n.plural]);
    const all = [
      ...verbs,
      ...nouns,
      ...lexicon.DEEDS,
      ...lexicon.PLACES.map((place) => place.noun),
      ...lexicon.TRAITS,
      ...lexicon.COLOURS,
      ...lexicon.MOODS,
      ...lexicon.NAMES.he,
      ...lexicon.NAMES.she,
    ];
    expect(all.filter((word, i) => all.indexOf(word) !== i)).toEqual([]);
  });

  test("text and ids are images of each other", () => {
    for (const { text, tokens } of sample) expect(encode(text)).toEqual(Array.from(tokens.slice(1, -1)));
    expect(decode(encode('then anna said , " i have the ball . " they ran .'))).toBe(
      'Then Anna said, "I have the ball." They ran.',
    );
  });

  test("other words are refused, with the nearest", () => {
    expect(() => encode("the dogg ran.")).toThrow(/one of its \d+ words, dog perhaps, got dogg/);
    expect(() => decode([9999])).toThrow(/expected ids from 0 to \d+, got 9999/);
  });

  test("ids do not change unseen", () => {
    expect([STORY_VOCABULARY.pad, STORY_VOCABULARY.bos, STORY_VOCABULARY.eos]).toEqual([0, 1, 2]);
    expect(encode("once there was a fox .")).toEqual([10, 11, 25, 8, 87, 3]);
  });
});

describe("grammar", () => {
  test("verbs agree with their subjects, whatever stands between", () => {
    let checked = 0;
    let acrossAttractor = 0;
    eachToken((told, position, word) => {
      const { otherForm, subject, number, part } = told.latents;
      if (otherForm[position] === -1) return;
      const at = subject[position]!;
      const head = words[told.tokens[at]!]!;
      expect(part[position]).toBe("verb");
      // Written apart from the grammar: only the third person singular ends in s.
      const wantsS = number[at] !== "plural" && head !== "i";
      if (word !== "am") expect(`${head}: ${word.endsWith("s")} ${word}`).toBe(`${head}: ${wantsS} ${word}`);
      else expect(head).toBe("i");
      const between = number.slice(at + 1, position).some((n, i) => {
        const role = told.latents.role[at + 1 + i];
        return role !== "none" && n !== "none" && n !== number[at];
      });
      checked++;
      acrossAttractor += Number(between);
    });
    expect(checked).toBeGreaterThan(2000);
    expect(acrossAttractor / checked).toBeGreaterThan(0.03);
  });

  test("were and was follow the number of the noun that comes after", () => {
    for (const { text } of sample) {
      for (const [, verb, next] of text.matchAll(/there (was|were) (?:also )?(\w+)/gi))
        expect(verb).toBe(/^an?$/.test(next!) ? "was" : "were");
      for (const [, article, next] of text.matchAll(/\b(an?) (\w)/g))
        expect(article === "an").toBe(/[aeiou]/.test(next!));
    }
  });

  test("clauses nest two deep and no deeper", () => {
    const depths = sample.flatMap(({ latents }) => Array.from(latents.clauseDepth));
    expect(new Set(depths)).toEqual(new Set([0, 1, 2]));
    eachToken(({ latents, tokens }, position, word) => {
      if (latents.part[position] === "relative") {
        expect(latents.clauseDepth[position]).toBe(latents.clauseDepth[position - 1]! + 1);
        // The relative pronoun means the noun before it.
        expect(latents.entity[position]).toBe(latents.entity[position - 1]);
      }
      if (latents.quoteDepth[position] === 1 && latents.quoteDepth[position - 1] === 0)
        expect([words[tokens[position - 1]!], /^(i|we)$/.test(word)]).toEqual(['"', true]);
    });
  });

  test("sentences cover the story and end with a full stop", () => {
    for (const told of sample) {
      let at = 1;
      told.sentences.forEach((sentence, i) => {
        expect(sentence.start).toBe(at);
        expect(wordsOf(told)[sentence.end - 1]).toMatch(/^[."]$/);
        for (let t = sentence.start; t < sentence.end; t++) expect(told.latents.sentence[t]).toBe(i);
        at = sentence.end;
      });
      expect(at).toBe(told.tokens.length - 1);
    }
  });

  test("words of one entity are its name, its noun, or a pronoun that can mean nothing else", () => {
    const SUBJECT = { she: "she", he: "he", it: "it", they: "they" };
    const OBJECT = { she: "her", he: "him", it: "it", they: "them" };
    let pronouns = 0;
    eachToken(({ latents, entities, sentences }, position, word) => {
      const entity = entities[latents.entity[position]!];
      if (entity === undefined) return;
      if (latents.part[position] === "relative") return;
      if (latents.part[position] !== "pronoun") return expect(word).toBe(entity.word);
      expect(latents.number[position]).toBe(entity.number);
      if (latents.quoteDepth[position] === 1 && /^(i|we)$/.test(word)) {
        // The speaker.
        return expect(sentences[latents.sentence[position]!]!.event.subject).toBe(entity.id);
      }
      pronouns++;
      expect(word).toBe((latents.role[position] === "agent" ? SUBJECT : OBJECT)[entity.pronoun]);
      // The last sentence spoke of it, and of no other that the pronoun fits.
      const before = sentences[latents.sentence[position]! - 1]!;
      const spokenOf = new Set(latents.entity.slice(before.start, before.end));
      const fitting = [...spokenOf].filter(
        (id) => id >= 0 && entities[id]!.kind !== "place" && entities[id]!.pronoun === entity.pronoun,
      );
      expect(fitting).toEqual([entity.id]);
    });
    expect(pronouns).toBeGreaterThan(200);
  });
});

describe("how things stand", () => {
  /** Owners and places from the words of main clauses alone. */
  function standing(told: Story): { owners: Map<string, string>; places: Map<string, string>; questions: number } {
    const owners = new Map<string, string>();
    const places = new Map<string, string>();
    let questions = 0;
    const noun = (id: number | undefined): string => told.entities[id!]!.word;
    for (const { start, end, event } of told.sentences) {
      const text = decode(told.tokens.slice(start, end)).toLowerCase();
      const subject = noun(event.subject);
      const find = (pattern: RegExp): string[] => pattern.exec(text)?.slice(1) ?? [];
      // A thing or a character in the text: its last word.
      const last = (phrase: string | undefined): string => phrase!.split(" ").at(-1)!;
      if (event.kind === "introduce") places.set(subject, last(find(/ (?:in|at|on) the (\w+)\.$/)[0]));
      if (event.kind === "have" || event.kind === "find")
        owners.set(last(find(/(?:had|found) ([\w ]+)\.$/)[0]), subject);
      if (event.kind === "go") places.set(subject, find(/went to the (\w+)\.$/)[0]!);
      if (event.kind === "give") {
        const [thing, to] = find(/gave ([\w ]+) to ([\w ]+)\.$/);
        // `gave the fox the red ball`, or `gave anna the ball`.
        const [whom, what] = find(/gave ((?:the )?\w+) the ([\w ]+)\.$/);
        owners.set(last(thing ?? what), last(to ?? whom));
      }
      if (event.kind === "take") {
        const [thing, from] = find(/took ([\w ]+) from ([\w ]+)\.$/);
        expect(owners.get(last(thing))).toBe(last(from));
        owners.set(last(thing), subject);
      }
      if (event.kind === "ask-owner") {
        questions++;
        const [thing, answer] = find(/^who has ([\w ]+)\? ([\w ]+?) (?:has|have) /);
        expect(last(answer)).toBe(owners.get(last(thing)));
      }
      if (event.kind === "ask-place") {
        questions++;
        const [whom, answer] = find(/^where (?:is|are) ([\w ]+)\? .* the (\w+)\.$/);
        expect(answer).toBe(places.get(last(whom)));
      }
      if (event.kind === "end") {
        const [thing, answer] = find(/^in the end, ([\w ]+) (?:was|were) with ([\w ]+)\.$/);
        expect(last(answer)).toBe(owners.get(last(thing)));
      }
    }
    return { owners, places, questions };
  }

  test("answers follow from what happened, read from the words alone", () => {
    let questions = 0;
    let moved = 0;
    for (const told of sample) {
      const { owners, places, questions: asked } = standing(told);
      questions += asked;
      const end = told.sentences.at(-1)!;
      const named = (facts: ReadonlyMap<number, number>): Map<string, string> =>
        new Map([...facts].map(([a, b]) => [told.entities[a]!.word, told.entities[b]!.word]));
      expect(owners).toEqual(named(end.owners));
      expect(places).toEqual(named(end.places));
      moved += Number(told.sentences.some(({ event }) => event.kind === "give" || event.kind === "take"));
    }
    expect(questions).toBeGreaterThan(300);
    expect(moved / sample.length).toBeGreaterThan(0.2);
  });

  test("modifiers, quotes and statements of possession are true", () => {
    eachToken(({ latents, sentences, tokens }, position, word) => {
      const sentence = latents.sentence[position]!;
      if (sentence < 1) return;
      const before = sentences[sentence - 1]!;
      if (/^(near|beside|behind)$/.test(word)) {
        const [one, other] = [latents.entity[position - 1]!, latents.entity.slice(position + 1).find((id) => id >= 0)!];
        expect(before.places.get(one)).toBe(before.places.get(other));
      }
      if (word === "have" && latents.quoteDepth[position] === 1) {
        const thing = latents.entity.slice(position + 1).find((id) => id >= 0)!;
        expect(before.owners.get(thing)).toBe(latents.entity[position - 1]);
      }
      if (words[tokens[position - 1]!] === "with" && latents.role[position] === "attractor")
        expect(before.owners.get(latents.entity[position]!)).toBe(latents.entity[position - 2]);
    });
  });

  test("what facts decide is certain", () => {
    const facts = (kind: string): number => optimalLoss(sample, ({ latents }, i) => latents.fact[i] === kind).tokens;
    expect(facts("owner")).toBeGreaterThan(500);
    expect(facts("place")).toBeGreaterThan(500);
    expect(optimalLoss(sample, ({ latents }, i) => latents.fact[i] !== "none").loss).toBe(0);
  });
});

describe("probabilities", () => {
  /**
   * Tells the story of `seed` until its `cut`-th draw that follows a finished choice, then goes on `count` times with other
   * draws; answers each next word with its claimed probability.
   */
  function continuations(seed: number, place: number, count: number): { word: number; p: number }[] {
    const draws = randomUniform(keyFromSeed(seed), 600);
    const told = (uniform: (draw: number, length: number) => number): Teller => {
      let n = 0;
      const teller: Teller = new Teller(() => uniform(n++, teller.writer.length));
      return teller;
    };
    const cuts: { draw: number; length: number }[] = [];
    told((n, length) => {
      if (cuts.at(-1)?.length !== length) cuts.push({ draw: n, length });
      return draws[n]!;
    }).tell();
    const cut = cuts[Math.floor(place * cuts.length)]!;
    const fresh = randomUniform(keyFromSeed(seed + 1000), 8 * count);
    return Array.from({ length: count }, (_, i) => {
      class Enough extends Error {}
      const teller = told((n, length) => {
        // The choice after the cut is over when a draw finds more words.
        if (length > cut.length) throw new Enough();
        return n < cut.draw ? draws[n]! : fresh[8 * i + n - cut.draw]!;
      });
      try {
        teller.tell();
      } catch (error) {
        if (!(error instanceof Enough)) throw error;
      }
      const { tokens, latents } = teller.writer.finish();
      return { word: tokens[cut.length]!, p: latents.probability[cut.length]! };
    });
  }

  test("at any choice: one for each word, summing to 1, as often as claimed", { timeout: 30_000 }, () => {
    const N = 250;
    for (let seed = 0; seed < 16; seed++) {
      const found = continuations(seed, seed / 16, N);
      const claimed = new Map<number, number>();
      for (const { word, p } of found) {
        expect(p).toBeCloseTo(claimed.get(word) ?? p, 12);
        claimed.set(word, p);
      }
      const total = [...claimed.values()].reduce((a, b) => a + b, 0);
      expect(total).toBeLessThan(1 + 1e-9);
      expect(total).toBeGreaterThan(0.85);
      for (const [word, p] of claimed) {
        const often = found.filter((x) => x.word === word).length / N;
        expect(Math.abs(often - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / N) + 1 / N);
      }
    }
  });

  test("the words so far decide them", () => {
    // All stories that begin alike give a next word the same probability.
    const known = new Map<string, number>();
    for (const { tokens, latents } of sample) {
      for (let i = 1; i < tokens.length; i++) {
        const prefix = tokens.slice(0, i + 1).join();
        expect(latents.probability[i]).toBeCloseTo(known.get(prefix) ?? latents.probability[i]!, 12);
        known.set(prefix, latents.probability[i]!);
      }
    }
  });

  test("the least loss is far below a uniform guess, and far above 0", () => {
    const { loss, tokens } = optimalLoss(sample);
    expect(tokens).toBe(sample.reduce((total, { tokens: own }) => total + own.length - 1, 0));
    expect(loss).toBeGreaterThan(0.8);
    expect(loss).toBeLessThan(0.87);
  });
});

describe("keys", () => {
  test("decide a story", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        expect(story(keyFromSeed(seed))).toEqual(story(keyFromSeed(seed)));
      }),
      { numRuns: 20 },
    );
    expect(sample.slice(0, 3)).toEqual(stories(keyFromSeed(1), 3));
    expect(new Set(sample.map(({ text }) => text)).size).toBe(sample.length);
  });

  test("numbers of stories that are none are refused", () => {
    expect(() => stories(keyFromSeed(0), -1)).toThrow(/expected a whole number of them, got -1/);
  });
});
