/** Instruments on attention, for `mechanist look`. */
import { expectTransformer, headCircuits } from "../../instrument/attention-circuits.ts";
import { attentionRollout } from "../../instrument/attention-rollout.ts";
import { compositionScores } from "../../instrument/composition-scores.ts";
import { copyingScores } from "../../instrument/copying-score.ts";
import { attentionPatterns, detectHeads, HEAD_KINDS } from "../../instrument/head-detectors.ts";
import { skipTrigramError } from "../../instrument/skip-trigram.ts";
import { valueWeightedAttention } from "../../instrument/value-weighted-attention.ts";
import { MechanistError } from "../../error.ts";
import { significant } from "../format.ts";
import { wholeNumber } from "../options.ts";
import type { Instrument } from "./instruments.ts";
import { expectPrompt, type Subject, tokenOf } from "./subject.ts";

const number = (x: number | null): string => significant(x, 3);
const SHOWN = 20;

const heads: Instrument = {
  summary: "previous-token, duplicate-token and induction heads, on random tokens that come twice",
  takes: "nothing",
  look: async ({ runnable, key, signal }) => {
    const found = await detectHeads(runnable, key, { signal });
    const line = (name: string, of: (kind: (typeof HEAD_KINDS)[number]) => number): string[] => [
      name,
      ...HEAD_KINDS.map((kind) => number(of(kind))),
    ];
    return {
      found: { ...found },
      head: ["head", "previous token", "duplicate token", "induction"],
      rows: [
        ...found.rows.map((row) => line(`${row.layer}.${row.head}`, (kind) => row[kind])),
        line("even attention", (kind) => found.uniform[kind]),
        line("shuffled, largest", (kind) => found.shuffled[kind].largest),
      ],
    };
  },
};

const composition: Instrument = {
  summary: "how much of what a head writes a later one reads, by weights alone",
  takes: "nothing",
  look: async ({ runnable, key }) => {
    const found = compositionScores(runnable, key);
    const largest = [...found.rows].sort((a, b) => b.score - a.score).slice(0, SHOWN);
    const place = ({ layer, head }: { layer: number; head: number }): string => `${layer}.${head}`;
    return {
      found: { ...found },
      head: ["from", "to", "into", "score", "above random"],
      rows: largest.map((row) => [
        place(row.from),
        place(row.to),
        row.into,
        number(row.score),
        number(row.aboveRandom),
      ]),
      notes: [
        `${largest.length} of ${found.rows.length}; random matrices score ${number(found.random.mean)} ± ${number(found.random.deviation)}`,
      ],
    };
  },
};

const copying: Instrument = {
  summary: "whether looking at a token raises its own logit, by eigenvalues of the OV circuit",
  takes: "nothing",
  look: async ({ runnable, key }) => {
    const found = copyingScores(runnable, key);
    return {
      found: { ...found },
      head: ["head", "copying"],
      rows: [...found.rows.map((row) => [`${row.layer}.${row.head}`, number(row.score)])],
      notes: [`random circuits score ${number(found.random.mean)} ± ${number(found.random.deviation)}`],
    };
  },
};

const rollout: Instrument = {
  summary: "where the last position's stream comes from, were attention all there is",
  takes: "a prompt",
  look: async (subject) => {
    const prompt = expectPrompt(subject);
    const found = attentionRollout(await attentionPatterns(subject.runnable, prompt, { signal: subject.signal }));
    const pos = prompt.x.shape[1]!;
    const [last, even] = [found.rollout, found.uniform].map(({ data }) => Array.from(data.slice(-pos))) as [
      number[],
      number[],
    ];
    const { rollout: _, uniform: __, ...rest } = found;
    return {
      found: { ...rest, last, uniform: even },
      head: ["position", "token", "rollout", "even attention"],
      rows: last.map((x, p) => [
        String(p),
        JSON.stringify(subject.text(prompt.x.data[p]!)),
        number(x),
        number(even[p]!),
      ]),
    };
  },
};

function layerOf({ options, runnable }: Subject, where: string): number {
  const { layers } = expectTransformer(where, runnable.network).config;
  return options.layer === undefined ? 0 : wholeNumber("--layer", options.layer, 0, layers - 1);
}

const values: Instrument = {
  summary: "attention of the last position, weighted by how long what it brings is",
  takes: "a prompt; --layer",
  look: async (subject) => {
    const prompt = expectPrompt(subject);
    const layer = layerOf(subject, "values");
    const found = await valueWeightedAttention(subject.runnable, prompt, layer, { signal: subject.signal });
    const [, count, pos] = found.weighted.shape as [number, number, number];
    const lastOf = (data: ArrayLike<number>, head: number): number[] =>
      Array.from({ length: pos }, (_, k) => data[(head * pos + pos - 1) * pos + k]!);
    const { weighted, uniform, ...rest } = found;
    const all = Array.from({ length: count }, (_, head) => ({
      head,
      weighted: lastOf(weighted.data, head),
      uniform: lastOf(uniform.data, head),
    }));
    return {
      found: { ...rest, heads: all },
      head: ["position", "token", ...all.map(({ head }) => `${layer}.${head}`), "even, all heads"],
      rows: Array.from({ length: pos }, (_, k) => [
        String(k),
        JSON.stringify(subject.text(prompt.x.data[k]!)),
        ...all.map((one) => number(one.weighted[k]!)),
        number(all.reduce((total, one) => total + one.uniform[k]!, 0) / count),
      ]),
    };
  },
};

const skipTrigram: Instrument = {
  summary: "what a head's effect of looking at the first token becomes as the context grows",
  takes: "a prompt of at least three tokens; --layer, --head, --answer <token>",
  look: async (subject) => {
    const { runnable, options, text } = subject;
    const prompt = expectPrompt(subject);
    const ids = Array.from(prompt.x.data);
    if (ids.length < 3) {
      throw new MechanistError("BadArgument", `skip-trigram: expected at least 3 tokens, got ${ids.length}`);
    }
    const network = expectTransformer("skip-trigram", runnable.network);
    const { heads: count } = network.config.attention;
    const head = options.head === undefined ? 0 : wholeNumber("--head", options.head, 0, count - 1);
    const place = { layer: layerOf(subject, "skip-trigram"), head };
    const source = ids[0]!;
    const row = headCircuits(network, runnable.weights, place).fullOV.row(source);
    const target =
      options.answer === undefined ? row.indexOf(Math.max(...row)) : tokenOf(subject, "answer", options.answer);
    const contexts = ids.slice(1).map((_, i) => ids.slice(0, i + 1));
    const found = await skipTrigramError(runnable, { ...place, source, destination: ids.at(-1)!, target, contexts });
    return {
      found: { ...found, source, target, ...place },
      head: ["keys", "copies", "attention", "formula", "logits", "table"],
      rows: found.rows.map((one) => [
        String(one.length),
        String(one.copies),
        ...[one.weight, one.formula, one.effect, found.table].map(number),
      ]),
      notes: [
        `${JSON.stringify(text(source))} … ${JSON.stringify(text(ids.at(-1)!))} to ${JSON.stringify(text(target))}: a table is off by up to ${number(found.largestError)} logits`,
      ],
    };
  },
};

export const attentionInstruments: Readonly<Record<string, Instrument>> = {
  heads,
  rollout,
  values,
  composition,
  copying,
  "skip-trigram": skipTrigram,
};
