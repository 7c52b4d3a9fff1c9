/** What a language model is asked, in our words. A change of any of them is a new `PROMPTS` version, which labels are kept under. */
import type { Evidence, Showing, Shown, TokenRate } from "./labeller.ts";

export const PROMPTS = 1;

/** Marks around a token that a component fires on. */
const [OPEN, CLOSE] = ["<<", ">>"];

/** A stretch on one line. */
export function shownText(
  { tokens, fires, importances }: Shown,
  { separator }: Pick<Showing, "separator">,
  marks: "none" | "marks" | "importances",
): string {
  const written = tokens.map((token, i) => {
    if (marks === "none" || fires[i] !== true) return token;
    return `${OPEN}${token}${marks === "importances" ? `|${importances[i]!.toFixed(2)}` : ""}${CLOSE}`;
  });
  return written.join(separator).replaceAll("\n", "\\n");
}

const about = (kind: Showing["kind"]): string =>
  kind === "tokens"
    ? "A neural network reads text token by token. A component is a part of its weights; at each token it either matters for what the network computes there (it fires) or not."
    : "A small neural network reads a vector of features, most of which are 0. A component is a part of its weights; on each input it either matters for what the network computes (it fires) or not.";

const ONLY_JSON = "Answer with one JSON object and nothing else.";

export function labelPrompt(evidence: Evidence): string {
  const { kind, density, examples, input, output } = evidence;
  const what = kind === "tokens" ? "token" : "feature";
  const marks =
    kind === "tokens"
      ? `Tokens it fires on stand between ${OPEN} and ${CLOSE}, with how much it matters there from 0 to 1.`
      : "Each line is one input on which it fires: its active features with their values.";
  const rates = (title: string, list: readonly TokenRate[]): string =>
    list.length === 0
      ? ""
      : `\n${title}:\n${list.map(({ text, p, lift }) => `${JSON.stringify(text)}  ${(100 * p).toFixed(1)} % of firings, ${lift.toFixed(1)} times the base rate`).join("\n")}\n`;
  return `${about(kind)}

Say what one component fires on. It fires at ${(100 * density).toPrecision(2)} % of all positions.
${rates(`${kind === "tokens" ? "Tokens" : "Features"} present where it fires`, input)}${rates("What the network expects next where it fires", output)}
Examples drawn from all of its firings, strong and weak. ${marks}
${examples.map((example, i) => `${i + 1}. ${shownText(example, evidence, "importances")}`).join("\n")}

Look for what all examples share, weak ones too, and prefer the narrowest description that fits them: the ${what} itself, what came before, or what comes next. If they share nothing, say so.
${ONLY_JSON} {"reasoning": "one or two sentences", "label": "at most ten words"}`;
}

const numbered = (items: readonly Shown[], how: Showing, marks: "none" | "marks"): string =>
  items.map((item, i) => `${i + 1}. ${shownText(item, how, marks)}`).join("\n");

export function detectionPrompt(label: string, items: readonly Shown[], how: Showing): string {
  const line = how.kind === "tokens" ? "on at least one token of the line" : "on the input that the line describes";
  return `${about(how.kind)}

A component is said to fire on: ${JSON.stringify(label)}
For each of these lines, say whether it fires ${line}, going by that description alone.
${numbered(items, how, "none")}

${ONLY_JSON} {"answers": [true or false for each of the ${items.length} lines, in order]}`;
}

export function fuzzingPrompt(label: string, items: readonly Shown[], how: Showing): string {
  return `${about(how.kind)}

A component is said to fire on: ${JSON.stringify(label)}
In each of these lines some tokens stand between ${OPEN} and ${CLOSE}. In some lines they are the tokens that it fires on, in the others tokens picked at random. For each line, say whether the marked tokens are those that it fires on, going by that description alone.
${numbered(items, how, "marks")}

${ONLY_JSON} {"answers": [true or false for each of the ${items.length} lines, in order]}`;
}

export function intruderPrompt(items: readonly Shown[], how: Showing): string {
  const marks =
    how.kind === "tokens" ? ` Tokens between ${OPEN} and ${CLOSE} are those that the line's component fires on.` : "";
  return `${about(how.kind)}

All but one of these ${items.length} lines are of one component; one is of another component.${marks} Find the one that does not belong.
${numbered(items, how, how.kind === "tokens" ? "marks" : "none")}

${ONLY_JSON} {"choice": the number of the line}`;
}
