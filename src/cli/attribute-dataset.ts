/** `mechanist attribute --dataset`: what components contribute to one another over data. */
import {
  actingOn,
  aliveOnData,
  type DataMeans,
  dataMeans,
  type DatasetAttribution,
  datasetAttribution,
  type DatasetSource,
} from "../circuit/index.ts";
import { type Address, formatAddress, parseAddress } from "../decomposition/address.ts";
import { MechanistError } from "../error.ts";
import type { AttributeOptions } from "./attribute.ts";
import { significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { openRankOne, type OpenedDecomposition } from "./open-decomposition.ts";
import { placementFrom, wholeNumber } from "./options.ts";
import type { Terminal } from "./terminal.ts";
import { trainingData } from "./training-data.ts";

/** Positions of the data unless asked. */
export const ROWS = "16384";
const TARGETS = "50";
const TOP = "200";
const SHOWN = 20;
const MOST = 1_000_000;

type TargetAddress = Pick<Address, "site" | "component">;

interface Edge extends Omit<DatasetSource, "address"> {
  readonly from: string;
  readonly to: string;
}

export async function attributeDataset(given: string, options: AttributeOptions, terminal: Terminal): Promise<void> {
  const placement = placementFrom(options);
  const rows = wholeNumber("--rows", options.rows ?? ROWS, 1, 1e9);
  const most = wholeNumber("--targets", options.targets ?? TARGETS, 1, MOST);
  const top = wholeNumber("--top", options.top ?? TOP, 1, MOST);
  const seed = wholeNumber("--seed", options.seed ?? "0", 0, Number.MAX_SAFE_INTEGER);
  const asked = (options.to ?? []).map(targetOf);
  const { opened, found, means, alive } = await interruptible(terminal, async ({ signal }) => {
    terminal.working(`opening ${given}`);
    const decomposition = await openRankOne(given, "attribute");
    const data = await trainingData(decomposition, rows, seed);
    const subject = decomposition.decomposition;
    const work = { ...placement, signal };
    const told = await dataMeans(subject, data, {
      ...work,
      onProgress: (done, all) => terminal.working(`counting what matters in ${given}: ${done} of ${all} batches`),
    });
    const all = subject.sites.reduce((count, { name }) => count + aliveOnData(told, name).length, 0);
    const targets = asked.length > 0 ? asked : mostImportant(decomposition, told, data.x, most);
    const attribution = await datasetAttribution(subject, data, targets, {
      ...work,
      onProgress: (done, of) => terminal.working(`attributing ${given}: ${done} of ${of} backward passes`),
    });
    return { opened: decomposition, found: attribution, means: told, alive: all };
  });
  terminal.clear();
  const edges = edgesOf(found);
  const shown = edges.slice(0, top);
  const { run, step } = opened;
  terminal.document("attribute", {
    run: run.name,
    path: run.path,
    step,
    dataset: { n: found.n, examples: found.examples, seed },
    alive,
    targets: found.targets.map(({ sources, ...target }) => ({
      ...target,
      importance: importanceOf(means, target.address),
      sources: sources.length,
    })),
    shown: { edges: shown.length },
    all: { edges: edges.length },
    edges: shown,
  });
  terminal.print(described(opened, found, edges, alive));
}

function targetOf(text: string): TargetAddress {
  const { site, component, position } = parseAddress(text);
  if (position === undefined) return { site, component };
  throw new MechanistError(
    "BadArgument",
    `--to: expected ${formatAddress({ site, component })}, at every position, got ${text}`,
  );
}

/** The components that matter most among those that others can act on. */
function mostImportant(
  { decomposition, run }: OpenedDecomposition,
  means: DataMeans,
  x: Parameters<typeof actingOn>[1],
  most: number,
): TargetAddress[] {
  const sites = decomposition.sites.filter(
    ({ name, indexed }) => indexed !== true && actingOn(decomposition, x, name).length > 0,
  );
  const candidates = sites.flatMap(({ name }) =>
    aliveOnData(means, name).map((component) => ({ site: name, component })),
  );
  if (candidates.length === 0) {
    const what = "components that others act on";
    throw new MechanistError(
      "Refused",
      `attribute: expected ${what} in ${run.name}, got none; --to output:0 names an output`,
    );
  }
  const mean = ({ site, component }: (typeof candidates)[number]): number => means.importance[site]!.data[component]!;
  return candidates.sort((a, b) => mean(b) - mean(a)).slice(0, most);
}

function importanceOf({ importance }: DataMeans, address: string): number | null {
  const { site, component } = parseAddress(address);
  return importance[site]?.data[component as number] ?? null;
}

/** All pairs, those of the largest normalised attribution first. */
function edgesOf({ targets }: DatasetAttribution): Edge[] {
  const size = ({ normalised }: Edge): number => Math.abs(normalised ?? 0);
  return targets
    .flatMap(({ address: to, sources }) => sources.map(({ address: from, ...rest }) => ({ from, to, ...rest })))
    .sort((a, b) => size(b) - size(a));
}

function described(
  { run, step, title }: OpenedDecomposition,
  { n, examples, targets }: DatasetAttribution,
  edges: readonly Edge[],
  alive: number,
): string {
  const many = (x: number): string => x.toLocaleString("en-US");
  const rows = edges
    .slice(0, SHOWN)
    .map(({ from, to, normalised, absoluteNormalised, attribution }) => [
      from,
      to,
      significant(normalised, 3),
      significant(absoluteNormalised, 3),
      significant(attribution / n, 3),
    ]);
  const where = n === examples ? `${many(n)} examples` : `${many(n)} positions of ${many(examples)} examples`;
  return [
    `${run.name}, step ${step}, of ${title}: ${where}`,
    `${many(alive)} components matter there; ${many(targets.length)} targets`,
    "",
    table(["from", "to", "normalised", "of |target|", "mean contribution"], rows),
    "",
    `${many(rows.length)} of ${many(edges.length)} pairs. Normalised: over the importance of the source and the root mean square of the target; ` +
      "of |target|: what raises here and lowers there does not cancel. Gradients, on average: attribute on one input with --calibrate measures how far they hold.",
  ].join("\n");
}
