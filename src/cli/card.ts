/** `mechanist card`: what each family was found to do, counted over the reports of `judge`. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { MechanistError } from "../error.ts";
import { type CardFamily, paradigmCard, type ParadigmCard } from "../evidence/referee/card.ts";
import { writeAtomic } from "../file/node-atomic.ts";
import { cardPage } from "../report/scoreboard/card-page.ts";
import { readReport, type Report } from "../report/scoreboard/report.ts";
import { mechanistVersion } from "../run/environment.ts";
import { shownPath, table } from "./format.ts";
import type { Terminal } from "./terminal.ts";

export interface CardCommandOptions {
  /** Where to write it as a page. */
  readonly out?: string;
}

export async function cardCommand(
  given: readonly string[],
  { out }: CardCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const reports: Report[] = [];
  for (const path of given) reports.push(await reportAt(path));
  const card = paradigmCard(reports.map(({ scoreboard }) => scoreboard));
  const page = out === undefined ? undefined : resolve(out);
  if (page !== undefined) {
    const commands = Object.assign({}, ...reports.map((report) => report.commands)) as Report["commands"];
    const command = ["mechanist card", ...given, "--out", out].join(" ");
    await writeAtomic(page, cardPage(card, { commands, command, version: mechanistVersion() }));
  }
  terminal.document("card", { ...card, ...(page !== undefined && { page }) });
  terminal.print(cardTable(card));
  if (page !== undefined) terminal.print(shownPath(page));
}

/** @throws `MissingFile`, `BadFile` or `NewerSchema` */
async function reportAt(path: string): Promise<Report> {
  const html = await readFile(path, "utf8").catch((cause: unknown) => {
    const text = `${path}: expected a report that judge --report wrote, got no file`;
    throw new MechanistError("MissingFile", text, {}, { cause });
  });
  return readReport(html, path);
}

function predictionsOf({ predictions: { held, made, byConstruction } }: CardFamily): string {
  const counted = made === 0 ? "–" : `${held} of ${made}`;
  return byConstruction === 0 ? counted : `${counted}, ${byConstruction} by construction`;
}

function cardTable({ families, networks }: ParadigmCard): string {
  const count = (of: number, all: number): string => (all === 0 ? "–" : `${of} of ${all}`);
  const runsOn = ({ cells }: CardFamily, digest: string): string =>
    String(cells.find((cell) => cell.digest === digest)?.runs.length ?? "–");
  return [
    table(
      [
        "family",
        "predictions held",
        "networks",
        "edits that worked",
        ...networks.map(({ title }) => `runs on ${title}`),
      ],
      families.map((family) => [
        family.family,
        predictionsOf(family),
        count(family.networks.held, family.networks.tried),
        count(family.edits.worked, family.edits.made),
        ...networks.map(({ digest }) => runsOn(family, digest)),
      ]),
    ),
    "",
    "counts with what each takes; in alphabetical order, which is no order of merit",
  ].join("\n");
}
