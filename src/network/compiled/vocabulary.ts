/** The tokens of a compiled network: those it reads, the one before each input, and those that stand for what it computes. */
import { MechanistError } from "../../error.ts";
import { named } from "../../settings.ts";
import type { Category } from "./language.ts";

export interface Vocabulary {
  /** The text of each id. The first stands before every input. */
  readonly tokens: readonly string[];
  /** How many ids, from 1 on, can be in an input. */
  readonly inputs: number;
  /** How a logit is read: as one of several values, of which the largest counts, or as the number itself. */
  readonly output:
    | { readonly kind: "categorical"; readonly ids: readonly number[]; readonly values: readonly Category[] }
    | { readonly kind: "numerical"; readonly id: number };
}

/** The token before every input. */
const BOS_TOKEN = "<bos>";
/** The token whose logit is a number. */
const VALUE_TOKEN = "<value>";

/**
 * A vocabulary for some inputs and results; a result that is written like an input has its id.
 *
 * @param results the values of a categorical output; absent, the output is a number
 */
export function vocabularyFor(inputs: readonly string[], results?: readonly Category[]): Vocabulary {
  const tokens = [BOS_TOKEN, ...inputs];
  const twice = tokens.find((token, i) => tokens.indexOf(token) !== i);
  if (twice !== undefined || inputs.length === 0) {
    const got = twice === undefined ? "none" : `${twice} twice`;
    throw new MechanistError("BadArgument", `vocabulary: expected different tokens, got ${got}`);
  }
  if (results === undefined) {
    return {
      tokens: [...tokens, VALUE_TOKEN],
      inputs: inputs.length,
      output: { kind: "numerical", id: tokens.length },
    };
  }
  const ids = results.map((value) => {
    const known = tokens.indexOf(String(value), 1);
    return known >= 0 ? known : tokens.push(String(value)) - 1;
  });
  return { tokens, inputs: inputs.length, output: { kind: "categorical", ids, values: results } };
}

/** The ids of an input, with the one before it. */
export function encode({ tokens, inputs }: Vocabulary, input: readonly string[]): number[] {
  const ids = Object.fromEntries(tokens.slice(1, inputs + 1).map((token, i) => [token, i + 1]));
  return [0, ...input.map((token) => named("token", token, ids))];
}

/**
 * The value that logits stand for.
 *
 * @param logits one for each id
 */
export function decode({ output }: Vocabulary, logits: ArrayLike<number>): Category {
  if (output.kind === "numerical") return logits[output.id]!;
  const best = output.ids.reduce((best, id) => (logits[id]! > logits[best]! ? id : best), output.ids[0]!);
  return output.values[output.ids.indexOf(best)]!;
}
