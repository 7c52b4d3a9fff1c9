/** `mechanist components` and `mechanist component`: what a harvest says of components. */
import { HarvestFolder } from "../harvest/node-folder.ts";
import {
  type Answer,
  askHarvest,
  type ComponentCard,
  componentCard,
  type HarvestQuery,
  listComponents,
} from "../harvest/node-query.ts";
import { evenly } from "../harvest/shown.ts";
import type { HarvestDocument } from "../harvest/document.ts";
import { findRun } from "../run/runs.ts";
import { shownPath, significant, table } from "./format.ts";
import type { CommonOptions } from "./main.ts";
import { wholeNumber } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface ComponentsOptions extends CommonOptions {
  readonly site?: string;
  readonly sort: string;
  readonly limit: string;
}

/** What a run's harvest answers, with what it is of. */
async function asked<T>(
  given: string,
  ask: (query: HarvestQuery) => Promise<T>,
): Promise<T & { readonly about: Readonly<Record<string, unknown>>; readonly document: HarvestDocument }> {
  const run = await findRun(given);
  return askHarvest(new HarvestFolder(run.path), async (query) => {
    const { n, step, settings } = query.document;
    const about = { run: run.name, path: run.path, n, step, threshold: settings.threshold };
    return { ...(await ask(query)), about, document: query.document };
  });
}

export async function componentsCommand(given: string, options: ComponentsOptions, terminal: Terminal): Promise<void> {
  const limit = wholeNumber("--limit", options.limit, 1, 1_000_000);
  const { site, sort } = options;
  const { rows, fired, components, about, document } = await asked(given, (query) =>
    listComponents(query, { sort, limit, ...(site !== undefined && { site }) }),
  );
  terminal.document("components", { ...about, listed: rows.length, fired, components, rows });
  const lines = rows.map((row) => [
    String(row.address),
    significant(Number(row.density), 3),
    significant(Number(row.meanImportance), 3),
    row.meanAbsActivation === null ? "–" : significant(Number(row.meanAbsActivation), 3),
    String(row.firings),
    String(row.partners),
  ]);
  const head = ["component", "density", "mean importance", "mean |activation|", "firings", "partners"];
  terminal.print(table(head, lines));
  terminal.print(
    `\n${rows.length} of ${fired} that fired above ${document.settings.threshold}, of ${components}; n = ${document.n}  (${shownPath(String(about.path))})`,
  );
}

export interface ComponentOptions extends CommonOptions {
  readonly limit: string;
}

export async function componentCommand(
  given: string,
  address: string,
  options: ComponentOptions,
  terminal: Terminal,
): Promise<void> {
  const limit = wholeNumber("--limit", options.limit, 1, 1000);
  const { about, document, ...card } = await asked(given, (query) => componentCard(query, address, limit));
  terminal.document("component", { ...about, ...card });
  terminal.print(cardText(card, document, limit));
}

function cardText(card: ComponentCard, document: HarvestDocument, limit: number): string {
  const { component: c, sample, top, input, output, partners } = card;
  const { threshold } = document.settings;
  const what = document.kind === "tokens" ? "token" : "feature";
  const first = `${String(c.address)}: fires (importance above ${threshold}) at ${Number(c.firings)} of ${Number(c.n)} positions, density ${significant(Number(c.density), 3)}; mean importance ${significant(Number(c.meanImportance), 3)}${c.meanAbsActivation === null ? "" : `, mean |activation| ${significant(Number(c.meanAbsActivation), 3)}`}`;
  const spread = evenly(sample, Math.min(limit, 8));
  const sections: readonly (readonly [string, string])[] = [
    [`highest importance, ${top.length} of ${Number(c.firings)} firings`, exampleLines(top, document)],
    [
      `by quantile of importance, ${spread.length} of a uniform sample of ${sample.length} of ${Number(c.firings)} firings`,
      exampleLines(spread, document),
    ],
    [
      `input ${what}s, ${input.common.length} of ${Number(c.inputTokens)}, most common where it fires`,
      tokenTable(input.common, what),
    ],
    [`input ${what}s that stand out`, tokenTable(input.telling, what)],
    ["output tokens, by the network's own probability where it fires", tokenTable(output.common, "token")],
    ["output tokens that stand out", tokenTable(output.telling, "token")],
    ["output tokens less likely than elsewhere", tokenTable(output.missing, "token")],
    [`fires at the same position as, ${partners.length} of ${Number(c.partners)} components`, partnerTable(partners)],
  ];
  const shown = sections.filter(([, text]) => text !== "").map(([title, text]) => `${title}\n${text}`);
  return [first, ...shown].join("\n\n");
}

function exampleLines(examples: readonly Answer[], document: HarvestDocument): string {
  return examples
    .map((row) => {
      const quantile = row.quantile === null ? "" : `q ${significant(Number(row.quantile), 2)}  `;
      return `  ${quantile}${significant(Number(row.importance), 3)}  ${exampleText(row, document)}`;
    })
    .join("\n");
}

/** An example on one line: the firing token in brackets, or features with their values. */
function exampleText(row: Answer, { kind, separator }: HarvestDocument): string {
  const ids = row.ids as readonly number[];
  if (kind === "features") {
    const values = row.values as readonly number[];
    return ids.map((id, i) => `${id}=${significant(values[i], 3)}`).join(" ");
  }
  const texts = row.texts as readonly string[];
  const marked = texts.map((text, i) => (i === row.focus ? `[${text}]` : text));
  return marked.join(separator).replaceAll(/\s*\n\s*/g, "⏎");
}

function tokenTable(rows: readonly Answer[], what: string): string {
  if (rows.length === 0) return "";
  const lines = rows.map((row) => [
    `  ${JSON.stringify(row.text)}`,
    significant(Number(row.pTokenGivenFires), 3),
    significant(Number(row.pFiresGivenToken), 3),
    significant(Number(row.lift), 3),
    significant(Number(row.pmi), 3),
    significant(Number(row.together), 4),
    significant(Number(row.total), 4),
  ]);
  return table([`  ${what}`, `P(${what}|fires)`, `P(fires|${what})`, "lift", "PMI nats", "together", "in all"], lines);
}

function partnerTable(rows: readonly Answer[]): string {
  if (rows.length === 0) return "";
  const lines = rows.map((row) => [
    `  ${String(row.address)}`,
    significant(Number(row.pOtherGivenThis), 3),
    significant(Number(row.pThisGivenOther), 3),
    significant(Number(row.jaccard), 3),
    significant(Number(row.pmi), 3),
    String(row.together),
    String(row.firings),
  ]);
  return table(["  component", "P(it|this)", "P(this|it)", "Jaccard", "PMI nats", "together", "firings"], lines);
}
