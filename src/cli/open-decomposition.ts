/** The decomposition that a run holds, at its latest checkpoint, ready to be asked. */
import type { RankOneDecomposition } from "../circuit/index.ts";
import type { Decomposition } from "../decomposition/decomposition.ts";
import { type DecomposeDocument, methodNamed } from "../decomposition/methods.ts";
import { MechanistError } from "../error.ts";
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

/**
 * Opens the decomposition of a run into rank-one components.
 *
 * @param command what is wanted of it, for errors
 * @throws `BadArgument` for a training, or a decomposition into other components
 */
export async function openRankOne(given: string, command: string): Promise<OpenedDecomposition> {
  const run = await findRun(given);
  const { document, weights, check } = await openDecomposition(run);
  const { step, tensors } = await run.checkpoints.latest(check);
  const decomposition = methodNamed(document.method).open(document, weights, weightsIn(tensors));
  if (!isRankOne(decomposition)) {
    throw new MechanistError(
      "BadArgument",
      `${command}: expected a decomposition into rank-one components, got ${run.name} by ${document.method}`,
    );
  }
  const target = targetNamed(document.target.target);
  const { settings } = document.target;
  return { run, step, document, decomposition, target, settings, title: target.title(settings) };
}

function isRankOne({ sites, values }: Decomposition): boolean {
  return sites.every(({ name }) => [`${name}.V`, `${name}.U`].every((part) => values[part]?.shape.length === 2));
}
