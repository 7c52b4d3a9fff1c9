/**
 * The error in reading a head as a table of skip-trigrams, "A … B → C" (the remark of Shlegeris on Elhage et al. 2021): what looking at A
 * does to the logit of C is the OV circuit's entry times the attention on A, and that depends on everything else in the context. With
 * n - 1 distractors whose scores are δ less, the weight is 1 / (1 + (n - 1) e^{-δ}); k copies of A share k / (k + (n - k) e^{-δ}).
 * No table of one number for each (A, B, C) has that.
 */
import { MechanistError } from "../error.ts";
import { meanOfNumbers } from "../intervention/bootstrap.ts";
import type { RunnableNetwork } from "../network/run.ts";
import { tokenValues } from "../network/run.ts";
import { expectTransformer, headCircuits, type HeadPlace } from "./attention-circuits.ts";
import type { Finding } from "./finding.ts";

/** The attention on `copies` of the source among `length` keys, where all others have a score that is `delta` less. */
export function skipTrigramWeight(length: number, delta: number, copies = 1): number {
  return copies / (copies + (length - copies) * Math.exp(-delta));
}

export interface SkipTrigramRow {
  /** How many keys the destination sees. */
  readonly length: number;
  /** How many of them are the source. */
  readonly copies: number;
  /** The attention on the source in the network. */
  readonly weight: number;
  /** The same by the formula, from the scores in the network. */
  readonly formula: number;
  /** What the head adds to the target's logit by looking at the source: that weight times the OV circuit's entry. */
  readonly effect: number;
}

export interface SkipTrigramTable extends Finding {
  readonly rows: readonly SkipTrigramRow[];
  /** The one number that a table of skip-trigrams would have: the effect at the first row. */
  readonly table: number;
  /** The largest difference of an effect from it, in logits. */
  readonly largestError: number;
}

/**
 * Puts the source into contexts of distractors, of growing length, and measures what a table cannot have.
 *
 * @param contexts lists of token ids that the head's destination follows: the source, `copies` times, and distractors
 */
export async function skipTrigramError(
  runnable: RunnableNetwork,
  {
    source,
    destination,
    target,
    contexts,
    ...place
  }: HeadPlace & {
    readonly source: number;
    readonly destination: number;
    readonly target: number;
    readonly contexts: readonly (readonly number[])[];
  },
): Promise<SkipTrigramTable> {
  const network = expectTransformer("skip-trigram", runnable.network);
  const entry = headCircuits(network, runnable.weights, place).fullOV.at(source, target);
  const points = ["hook_attn_scores", "hook_pattern"].map((point) => `blocks.${place.layer}.attn.${point}`);
  const rows: SkipTrigramRow[] = [];
  for (const context of contexts) {
    const tokens = [...context, destination];
    const places = tokens.map((token, i) => (token === source ? i : -1)).filter((i) => i >= 0);
    if (places.length === 0 || places.length === tokens.length) {
      throw new MechanistError(
        "BadArgument",
        `skip-trigram: expected token ${source} among others in each context, got ${context.join(",")}`,
      );
    }
    const { cache } = await runnable.run(tokenValues([tokens]), { cache: points });
    const [scores, pattern] = points.map((point) => cache[point]!.data);
    const start = (place.head * tokens.length + tokens.length - 1) * tokens.length;
    // Distractors may differ among themselves: e^{-δ} is their mean.
    const top = scores![start + places[0]!]!;
    const others = tokens.map((_, i) => i).filter((i) => !places.includes(i));
    const shares = others.map((i) => Math.exp(scores![start + i]! - top));
    const delta = -Math.log(meanOfNumbers(shares));
    const weight = places.reduce((total, i) => total + pattern![start + i]!, 0);
    rows.push({
      length: tokens.length,
      copies: places.length,
      weight,
      formula: skipTrigramWeight(tokens.length, delta, places.length),
      effect: weight * entry,
    });
  }
  const table = rows[0]!.effect;
  return {
    rows,
    table,
    largestError: Math.max(...rows.map(({ effect }) => Math.abs(effect - table))),
    n: rows.length,
    counted: "contexts",
    nullDescription: "the table's one number: an effect that no context changes",
    doesNotEstablish: "what the whole network does with the source: one head, its direct effect, and no norm's divisor",
  };
}
