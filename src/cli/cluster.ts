/** `mechanist cluster`: the subcomponents of a decomposition put together into clusters, kept in the run's folder. */
import { cluster, type ClusterState } from "../decomposition/clustering/cluster.ts";
import { type ClusterResult, resultOf } from "../decomposition/clustering/document.ts";
import { costsOf } from "../decomposition/clustering/merge-history.ts";
import { ClusterFolder, type ClusterIdentity } from "../decomposition/clustering/node-folder.ts";
import { clusterSettings, samplerFrom } from "../decomposition/clustering/settings.ts";
import { writeAtomic } from "../file/node-atomic.ts";
import { clusteringFigure } from "../report/clustering-figure.ts";
import type { RunFolder } from "../run/folder.ts";
import { findRun } from "../run/runs.ts";
import { settingsFrom } from "../settings.ts";
import { shownPath, significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { openLatest } from "./open-decomposition.ts";
import { availableMemory, type DeviceOptions, placementFrom } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface ClusterCommandOptions extends DeviceOptions {
  readonly alpha?: string;
  readonly threshold?: string;
  readonly positions?: string;
  readonly sampler?: string;
  readonly ensemble?: string;
  readonly seed?: string;
  readonly resume?: boolean;
}

/** How many clusters and members of each are printed; `--json` has all. */
const SHOWN = 20;
const SHOWN_MEMBERS = 8;

export async function clusterCommand(given: string, options: ClusterCommandOptions, terminal: Terminal): Promise<void> {
  const { alpha, threshold, positions, sampler, ensemble, seed } = options;
  const asked = { alpha, threshold, positions, sampler, ensemble, seed };
  const set = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
  const settings = settingsFrom("cluster", clusterSettings, set);
  samplerFrom(settings.sampler); // refuses what is none, before anything is opened
  const placement = placementFrom(options);
  const run = await findRun(given);
  const { decomposition, source, step } = await openLatest(run);
  const subject = { decomposition, ...source };
  const components = subject.decomposition.components.map(({ address }) => address);
  const identity: ClusterIdentity = { subject: { digest: run.record.digest, step }, settings, components };
  const folder = new ClusterFolder(run.path);
  const resume = options.resume ? await folder.load(identity) : undefined;
  if (options.resume && resume === undefined) terminal.note("nothing to resume of these settings; clustering begins");
  const state = await interruptible(terminal, ({ signal }) =>
    cluster(subject, settings, {
      ...placement,
      signal,
      ...(resume && { resume }),
      memory: availableMemory(),
      onMemory: (bytes) => terminal.note(announcement(identity, bytes)),
      onProgress: (progress) => terminal.progress(progress),
      onState: (reached) => folder.save(identity, reached),
    }),
  );
  terminal.clear();
  // A clustering that was whole before may have had more members.
  await folder.save(identity, state);
  const result = resultOf(components, state, settings);
  await writeAtomic(folder.figurePath, figureOf(run, state, result));
  const about = { run: run.name, path: run.path, step, settings, figure: folder.figurePath };
  terminal.document("cluster", { ...about, ...result });
  terminal.print(described(run, settings.threshold, result));
}

function announcement({ settings, components }: ClusterIdentity, bytes: number): string {
  const { positions, threshold } = settings;
  const mebibytes = Math.ceil(bytes / 2 ** 20).toLocaleString("en-US");
  return `clustering ${components.length.toLocaleString("en-US")} components at ${positions.toLocaleString("en-US")} positions, firing above ${threshold}: at most ${mebibytes} MiB of memory`;
}

function figureOf(run: RunFolder, { members, shuffled }: ClusterState, { k, stability }: ClusterResult): string {
  return clusteringFigure({
    title: `Clusters of ${run.name}`,
    costs: members.map(({ history }) => costsOf(history).cost),
    control: shuffled!.cost,
    k,
    rows: stability?.rows ?? [],
  });
}

function described(run: RunFolder, threshold: number, result: ClusterResult): string {
  const { alive, components, k, ks, clusters, firstCost, cost, shuffled, crossings, plateau, stability } = result;
  const rows = clusters.slice(0, SHOWN).map(({ address, rate, rank, members }) => {
    const more = members.length > SHOWN_MEMBERS ? ` and ${members.length - SHOWN_MEMBERS} more` : "";
    return [address, significant(rate, 3), String(rank), members.slice(0, SHOWN_MEMBERS).join(" ") + more];
  });
  const bits = (x: number): string => significant(x, 4);
  const others = crossings.filter((at) => at !== k);
  return [
    `${run.name}: ${alive} of ${components} components fire above ${threshold}; ${k} clusters  (${shownPath(run.path)})`,
    "",
    table(["cluster", "fires", "rank", "components"], rows),
    ...(k > SHOWN ? [`${SHOWN} of ${k} clusters, those that fire most often`] : []),
    "",
    `bits a position: ${bits(firstCost)} with a cluster a component, ${bits(cost)} with ${k} clusters`,
    ...(plateau[0] < plateau[1] ? [`at most a hundredth more with ${plateau[0]} to ${plateau[1]} clusters`] : []),
    `control, firings shuffled: ${bits(shuffled.firstCost)}, and ${bits(shuffled.cost)} with ${shuffled.k}: what rates alone gain`,
    ...(others.length > 0
      ? [`merging also begins to cost at ${others.slice(0, 8).join(", ")} clusters, but there costs more`]
      : []),
    ...(stability === null ? ["one clustering: nothing is known of how stable it is"] : agreement(k, ks, stability)),
  ].join("\n");
}

function agreement(
  k: number,
  ks: readonly number[],
  { compared, rows }: NonNullable<ClusterResult["stability"]>,
): string[] {
  const row = rows.find((at) => at.k === k);
  const [fewest, most] = [Math.min(...ks), Math.max(...ks)];
  const found = fewest === most ? `${most} clusters in each` : `${fewest} to ${most} clusters`;
  const counts = `${ks.length} clusterings of different positions: ${found}`;
  if (row === undefined) return [`${counts}; not all of them have ${k}`];
  const band = ({ mean, least, most }: { mean: number; least: number; most: number }): string =>
    `${significant(mean, 2)} (${significant(least, 2)} to ${significant(most, 2)})`;
  const hamming =
    row.hamming === null
      ? ""
      : `, ${band(row.hamming)} of components in another cluster, ${significant(row.byChance.hamming, 2)} by chance`;
  return [
    `${counts}; with ${k} each${hamming}`,
    `  adjusted Rand index ${band(row.adjustedRand)}, on the ${compared} components that fire in all`,
  ];
}
