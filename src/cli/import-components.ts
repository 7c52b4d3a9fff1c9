/** `mechanist decompose --from`: a run of components that were made elsewhere, judged as any other. */
import { existsSync } from "node:fs";
import type { Given } from "../decomposition/dictionary/formats/place.ts";
import type { NamedValues } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import type { FreshDataOptions } from "../evidence/fresh-data.ts";
import { judge } from "../evidence/judge.ts";
import type { DecomposeRecord } from "../run/document.ts";
import type { RunFolder } from "../run/folder.ts";
import { findRun } from "../run/runs.ts";
import { weightsIn } from "../training/optimise.ts";
import { type DecomposeOptions, newDecomposition, plain, trainedWeights } from "./decompose.ts";
import {
  besideClaims,
  besideClaimsText,
  type ImportedDictionaries,
  subjectFromDictionary,
} from "./dictionary-files.ts";
import { trainDocumentOf } from "./documents.ts";
import { placementFrom, settingsGiven } from "./options.ts";
import { isPublished, subjectFromPublished } from "./published.ts";
import { record } from "./record.ts";
import type { Terminal } from "./terminal.ts";

/** What may be said of a dictionary whose files do not say it. */
const PLACE: ReadonlySet<string> = new Set(["point", "reads", "writes", "model"] satisfies (keyof Given)[]);
/** The method where none was asked for. */
const UNASKED = "spd";

/** A run of components that were made elsewhere. */
export async function importOne(
  network: string,
  options: DecomposeOptions & { readonly from: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<RunFolder> {
  const { from, out, method } = options;
  const published = isPublished(from) || (method === UNASKED && !existsSync(from));
  const given = await placeGiven(options, published);
  const source = await findRun(network);
  const weights = await trainedWeights(source);
  const target = await trainDocumentOf(source);
  const placement = placementFrom(options);
  const { device, threads } = placement;
  const computing = { signal, device, ...(threads && { threads }) };
  const dictionaries = published ? undefined : await subjectFromDictionary(from, target, weights, given, computing);
  const { document, checkpoint } = dictionaries ?? (await subjectFromPublished(from, target, weights));
  if (method !== UNASKED && method !== document.method) {
    throw new MechanistError("BadArgument", `--from: expected components of ${method}, got ones of ${document.method}`);
  }
  const components = weightsIn(checkpoint.tensors);
  const run = await newDecomposition(source, { document, weights }, out, placement);
  await record(run, { ...placement, signal, terminal }, async (loop) => {
    await loop.onCheckpoint?.(checkpoint);
    terminal.working("judging");
    const beside = dictionaries && (await measured(dictionaries, components, computing, terminal));
    const verdict = await judge({ document, weights, components }, computing);
    return { value: verdict, result: { steps: checkpoint.step, stepsPerSecond: null, ...plain(verdict), ...beside } };
  });
  return run;
}

/** What is said of where a dictionary belongs; anything else about it is in its files. */
async function placeGiven(options: DecomposeOptions, published: boolean): Promise<Given> {
  const { resume, preset, config, steps, seed } = options;
  const given = await settingsGiven(options);
  const others = Object.keys(given).filter((key) => published || !PLACE.has(key));
  if (!resume && [preset, config, steps, seed].every((one) => one === undefined) && others.length === 0) return given;
  const but = published ? "" : ` but ${[...PLACE].join(", ")}`;
  throw new MechanistError(
    "BadArgument",
    `--from: expected neither --resume nor settings${but}, which the folder has, got some`,
  );
}

/** Dictionaries beside what their files claim, told and kept. */
async function measured(
  { document, weights, claims, format, notes }: ImportedDictionaries,
  components: NamedValues,
  computing: FreshDataOptions,
  terminal: Terminal,
): Promise<NonNullable<DecomposeRecord["result"]>> {
  const dictionaries = await besideClaims({ document, weights }, components, claims, computing);
  terminal.print(besideClaimsText(format, dictionaries, notes));
  return JSON.parse(JSON.stringify({ imported: { format, notes, dictionaries } })) as NonNullable<
    DecomposeRecord["result"]
  >;
}
