/** What a harvest has to label a component by, and to try the label on: two halves of its sample, which share no example. */
import type { Answer, HarvestQuery } from "../harvest/node-query.ts";
import { componentCard } from "../harvest/node-query.ts";
import { foldIn, type Key, randomPermutation } from "../tensor/index.ts";
import type { Evidence, Shown, TokenRate } from "./labeller.ts";
import type { TrialMaterial } from "./trials.ts";

/** Tokens in each table of a prompt, and examples. */
const RATES = 10;
const EXAMPLES = 12;
/** Other components that intruders come from. */
const OTHERS = 24;
/** Components that fire together with one more than this, by Jaccard, give it no intruders: they may be about the same. */
const TOGETHER = 0.05;

export interface Material {
  readonly evidence: Evidence;
  readonly trials: TrialMaterial;
}

/** The material of one component. @throws `UnknownName` with the nearest address there is */
export async function materialOf(query: HarvestQuery, address: string, key: Key): Promise<Material> {
  const card = await componentCard(query, address, RATES);
  const { kind, separator, settings } = query.document;
  const threshold = Math.fround(settings.threshold);
  const shown = (row: Answer): Shown => shownRow(row, threshold);
  const c = Number(card.component.component);
  // Every second of the sample in its order by importance: both halves have all quantiles.
  const examples = card.sample
    .filter((_, i) => i % 2 === 0)
    .slice(0, EXAMPLES)
    .map(shown);
  const seen = new Set(examples.map((example) => example.tokens.join("\0")));
  const held = card.sample
    .filter((_, i) => i % 2 === 1)
    .map(shown)
    .filter((example) => !seen.has(example.tokens.join("\0")));
  const quiet = await query.rows("SELECT * FROM background WHERE NOT list_contains(firing, $1) ORDER BY position", [c]);
  const rate = ({ text, pTokenGivenFires, lift }: Answer): TokenRate => ({
    text: String(text),
    p: Number(pTokenGivenFires),
    lift: Number(lift),
  });
  return {
    evidence: {
      address,
      kind,
      separator,
      density: Number(card.component.density),
      examples,
      input: card.input.telling.map(rate),
      output: card.output.telling.map(rate),
    },
    trials: { held, quiet: quiet.map(shown), others: (await intruders(query, c, key)).map(shown) },
  };
}

/** An example each of some other components. */
async function intruders(query: HarvestQuery, c: number, key: Key): Promise<Answer[]> {
  const rows = await query.rows(
    `SELECT component FROM components WHERE firings > 0 AND component <> $1 AND component NOT IN (
       SELECT b FROM pairs WHERE a = $1 AND jaccard > $2 UNION ALL SELECT a FROM pairs WHERE b = $1 AND jaccard > $2
     ) ORDER BY component`,
    [c, TOGETHER],
  );
  const chosen = randomPermutation(foldIn(key, "components"), rows.length)
    .slice(0, OTHERS)
    .map((i) => Number(rows[i]!.component));
  if (chosen.length === 0) return [];
  const examples = await query.rows(
    `SELECT * FROM examples WHERE kind = 'sample' AND component IN (${chosen.join(",")}) ORDER BY component, rank`,
  );
  return chosen.map((other, i) => {
    const own = examples.filter(({ component }) => component === other);
    return own[randomPermutation(foldIn(foldIn(key, "example"), i), own.length)[0]!]!;
  });
}

/** A row of examples or background as it is shown. */
function shownRow({ texts, values, importances }: Answer, threshold: number): Shown {
  const tokens = texts as readonly string[];
  const numbers = (importances ?? []) as readonly number[];
  if (values !== null) {
    const features = values as readonly number[];
    const written = tokens.map((feature, i) => `feature ${feature} = ${features[i]!.toFixed(2)}`);
    return { tokens: written, fires: tokens.map(() => false), importances: numbers };
  }
  // Of a row that is a whole sequence nobody knows which token it fires on.
  const placed = numbers.length === tokens.length;
  return { tokens, fires: tokens.map((_, i) => placed && numbers[i]! > threshold), importances: numbers };
}
