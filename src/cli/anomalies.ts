/** `mechanist anomalies`: the anomalies of dictionary learning on decompositions of one network; several are each other's seeds and sizes. */
import { MechanistError } from "../error.ts";
import { ANOMALIES, anomalies, type AnomaliesReport, isFound, type Outcome } from "../evidence/anomalies/index.ts";
import type { DataSource } from "../evidence/fresh-data.ts";
import type { RunFolder } from "../run/folder.ts";
import { findRun } from "../run/runs.ts";
import { settingsFrom } from "../settings.ts";
import { describeRun } from "./describe-run.ts";
import { shownPath, significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { type LatestDecomposition, openLatest } from "./open-decomposition.ts";
import { type DeviceOptions, placementFrom, settingsGiven, wholeNumber } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface AnomaliesOptions extends DeviceOptions {
  readonly random?: string;
  readonly shift?: readonly string[];
  readonly rows?: string;
  readonly seed?: string;
}

interface Opened {
  readonly run: RunFolder;
  readonly latest: LatestDecomposition;
}

export async function anomaliesCommand(
  given: readonly string[],
  options: AnomaliesOptions,
  terminal: Terminal,
): Promise<void> {
  const asked = {
    ...placementFrom(options),
    ...(options.rows !== undefined && { rows: wholeNumber("--rows", options.rows, 256, 1_000_000) }),
    seed: options.seed === undefined ? 0 : wholeNumber("--seed", options.seed, 0, Number.MAX_SAFE_INTEGER),
  };
  const opened: Opened[] = [];
  for (const one of given) opened.push(await open(one));
  expectOneNetwork(opened);
  const random = options.random === undefined ? undefined : await open(options.random);
  if (random) expectRandom(opened, random);
  const shifted = options.shift && (await shiftedData(opened[0]!.latest, options.shift));
  const runs = await interruptible(terminal, async ({ signal }) => {
    const documents: Record<string, unknown>[] = [];
    for (const { run, latest } of opened) {
      terminal.working(`measuring ${run.name}`);
      const { seeds, smaller } = companions(latest, opened);
      const known = latest.target.known?.(latest.settings);
      const report = await anomalies(latest.decomposition, dataOf(latest), {
        ...asked,
        signal,
        ...(known && { known }),
        seeds: seeds.map((other) => other.latest.decomposition),
        ...(smaller && { smaller: smaller.latest.decomposition }),
        ...(random && { random: { decomposition: random.latest.decomposition, data: dataOf(random.latest) } }),
        ...(shifted && { shifted }),
      });
      const compared = {
        seeds: seeds.map((other) => other.run.name),
        smaller: smaller?.run.name ?? null,
        random: random?.run.name ?? null,
        shift: options.shift ?? null,
      };
      documents.push({ ...describeRun(run), step: latest.step, compared, ...listed(report) });
      terminal.clear();
      if (!options.json) terminal.print(told(run, report));
    }
    return documents;
  });
  terminal.document("anomalies", { runs });
}

const open = async (given: string): Promise<Opened> => {
  const run = await findRun(given);
  return { run, latest: await openLatest(run) };
};

function dataOf({ source, target, settings }: LatestDecomposition): DataSource & { readonly padding?: number } {
  const padding = target.known?.(settings)?.languageModel?.padding;
  return { ...source, ...(padding !== undefined && { padding }) };
}

/** The same inputs with some of the target's settings changed. */
async function shiftedData(
  { document, target, settings }: LatestDecomposition,
  set: readonly string[],
): Promise<DataSource> {
  const changed = settingsFrom(document.target.target, target.schema, settings, await settingsGiven({ set }));
  const all = changed as LatestDecomposition["settings"];
  const tables = await target.tables?.(all);
  return { batch: (size) => target.batch("data", all, size), ...(tables && { tables }) };
}

/** @throws `Refused` for runs whose networks have other weights */
function expectOneNetwork([first, ...rest]: readonly Opened[]): void {
  for (const other of rest) {
    if (haveSameWeights(first!, other)) continue;
    const names = [first!, other].map(({ run }) => run.name).join(" and ");
    throw new MechanistError("Refused", `anomalies: expected runs of one network, got ${names} with other weights`);
  }
}

function expectRandom([first]: readonly Opened[], random: Opened): void {
  if (!haveSameWeights(first!, random)) return;
  throw new MechanistError(
    "BadArgument",
    `--random: expected a decomposition of a network with random weights, got ${random.run.name} of the same network`,
  );
}

function haveSameWeights(a: Opened, b: Opened): boolean {
  const [left, right] = [a.latest.decomposition, b.latest.decomposition];
  return left.network.weights.every(({ name }) => {
    const [x, y] = [left.values[name], right.values[name]];
    return (
      x !== undefined && y !== undefined && x.data.length === y.data.length && x.data.every((v, i) => v === y.data[i])
    );
  });
}

/** Of the others those that differ in their seed alone, and the largest by the same method that has fewer components. */
function companions(
  own: LatestDecomposition,
  all: readonly Opened[],
): { readonly seeds: readonly Opened[]; readonly smaller: Opened | undefined } {
  const others = all.filter(({ latest }) => latest !== own && latest.document.method === own.document.method);
  const count = ({ decomposition }: LatestDecomposition): number => decomposition.components.length;
  const withoutSeed = ({ document: { settings } }: LatestDecomposition): string =>
    JSON.stringify(Object.entries({ ...settings, seed: 0 }).sort());
  return {
    seeds: others.filter(({ latest }) => withoutSeed(latest) === withoutSeed(own)),
    smaller: others
      .filter(({ latest }) => count(latest) < count(own))
      .sort((a, b) => count(b.latest) - count(a.latest))[0],
  };
}

/** A report with lists in the place of names that are data. */
function listed({ measures, places, rows, seed }: AnomaliesReport): Record<string, unknown> {
  return {
    rows,
    seed,
    places,
    measures: Object.entries(measures).map(([name, { places: found, ...text }]) => ({
      name,
      ...text,
      found: Object.entries(found).map(([place, outcome]) => ({ place, ...outcome })),
    })),
  };
}

function told({ name, path }: RunFolder, { measures, rows, places }: AnomaliesReport): string {
  const line = (title: string, place: string, outcome: Outcome): string[] =>
    isFound(outcome)
      ? [
          title,
          place,
          significant(outcome.value, 3),
          significant(outcome.control, 3),
          outcome.present ? "present" : "absent",
          `${outcome.n} ${outcome.counted}`,
        ]
      : [title, place, "–", "–", "", outcome.missing];
  const all = Object.entries(measures).flatMap(([key, { places: found }]) =>
    Object.entries(found).map(([place, outcome]) =>
      line(ANOMALIES[key as keyof typeof ANOMALIES].title, place === "" ? "output" : place, outcome),
    ),
  );
  const shape = places
    .map(({ name: place, components, width }) => `${place} ${components} of width ${width}`)
    .join(", ");
  return [
    `${name}  (${shownPath(path)}): ${rows.toLocaleString("en-US")} rows; ${shape}`,
    "",
    table(["anomaly", "at", "value", "control", "", "of"], all),
  ].join("\n");
}
