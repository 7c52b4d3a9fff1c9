/** The decomposition that a run holds, at its latest checkpoint, ready to be asked. */
import type { RankOneDecomposition } from "../circuit/index.ts";
import type { Decomposition } from "../decomposition/decomposition.ts";
import { type DecomposeDocument, methodNamed } from "../decomposition/methods.ts";
import { MechanistError } from "../error.ts";
import type { NamedValues } from "../engine/index.ts";
import type { DataSource } from "../evidence/fresh-data.ts";
import type { RunFolder } from "../run/folder.ts";
import { findRun } from "../run/runs.ts";
import type { Target, TrainDocument } from "../training/target.ts";
import { targetNamed } from "../training/targets.ts";
import { openDecomposition } from "./decompose.ts";
import { weightsIn } from "../training/optimise.ts";

export interface OpenedDecomposition {
  readonly run: RunFolder;
  /** Of the checkpoint. */
  readonly step: number;
  readonly document: DecomposeDocument;
  readonly decomposition: RankOneDecomposition;
  readonly target: Target;
  readonly settings: TrainDocument["settings"];
  /** What the network is, in a few words. */
  readonly title: string;
}

/** What a run's latest checkpoint holds, with the data it is of. */
export interface LatestDecomposition extends Pick<OpenedDecomposition, "step" | "document" | "target" | "settings"> {
  readonly decomposition: Decomposition;
  readonly weights: NamedValues;
  readonly components: NamedValues;
  readonly source: DataSource;
}

/** Opens a run's latest checkpoint, which must be whole: an older one would answer another question. */
export async function openLatest(run: RunFolder): Promise<LatestDecomposition> {
  const { document, weights, check } = await openDecomposition(run);
  const { step, tensors } = await run.checkpoints.latest(check);
  const components = weightsIn(tensors);
  const decomposition = methodNamed(document.method).open(document, weights, components);
  const target = targetNamed(document.target.target);
  const { settings } = document.target;
  const tables = await target.tables?.(settings);
  const source: DataSource = {
    batch: (size) => target.batch("data", settings, size),
    ...(tables && { tables }),
  };
  return { step, document, weights, components, decomposition, target, settings, source };
}

/**
 * Opens the decomposition of a run into rank-one components.
 *
 * @param command what is wanted of it, for errors
 * @throws `BadArgument` for a training, or a decomposition into other components
 */
export async function openRankOne(given: string, command: string): Promise<OpenedDecomposition> {
  const run = await findRun(given);
  const { source: _, weights: __, components: ___, ...opened } = await openLatest(run);
  const { decomposition, document, target, settings } = opened;
  if (!isRankOne(decomposition)) {
    throw new MechanistError(
      "BadArgument",
      `${command}: expected a decomposition into rank-one components, got ${run.name} by ${document.method}`,
    );
  }
  return { ...opened, run, decomposition, title: target.title(settings) };
}

function isRankOne({ sites, values }: Decomposition): boolean {
  return sites.every(({ name }) => [`${name}.V`, `${name}.U`].every((part) => values[part]?.shape.length === 2));
}
