/**
 * What an edit does where it should and where it should not: how far the edited network's predictions are from its own, at the positions
 * where the edited components matter (on target), at all others (off target), and at those of the others that are near one (VPD,
 * "editing": surrounding tokens). A mean over positions says nothing of what the predictions have become.
 */
import type { NamedValues } from "../engine/index.ts";
import type { Interval } from "../intervention/bootstrap.ts";
import {
  axisNames,
  cast,
  constant,
  foldIn,
  gather,
  greater,
  input,
  type Key,
  keyFromSeed,
  klDivergence,
  max,
  mean,
  square,
  sub,
  type Tensor,
} from "../tensor/index.ts";
import { type EditPlan, editFeeds, editHooks } from "./edit.ts";
import { prepare, type WorkOptions } from "./program.ts";
import { ratioInterval } from "./ratio-interval.ts";
import type { RankOneDecomposition } from "./subject.ts";

/** Positions on either side of one on target that are near it. */
export const NEAR = 20;

/** What edits are tried on. */
export interface EditData {
  /** A batch as a traced program: of draws, tables and inputs. */
  readonly x: Tensor;
  /** Its tables and inputs. */
  readonly feeds?: NamedValues;
  /** How many batches are drawn. */
  readonly batches: number;
  readonly seed?: number;
}

export interface EditEffectOptions extends WorkOptions {
  /** A component fires at a position where its importance exceeds this. */
  readonly firesAbove?: number;
  /** Whether edits are made only where the component fires. */
  readonly onlyWhereImportant?: boolean;
  /** How much of the edit is made, several to sweep; 1 unless given. */
  readonly strengths?: readonly number[];
}

/** A mean over positions. */
export interface Measured {
  /** Positions, and in how many examples they lie. */
  readonly n: number;
  readonly examples: number;
  /** `null` for no position. */
  readonly mean: number | null;
  readonly interval: Interval | null;
}

/** What one strength of the edit does. */
export interface EditEffect {
  readonly strength: number;
  readonly onTarget: Measured;
  readonly offTarget: Measured;
  /** Those off target within `NEAR` positions of one on target; `null` where there are no positions. */
  readonly surrounding: Measured | null;
}

export interface EditEffects {
  /** `nats`, of KL(network ‖ edited); `squared error`, mean over outputs. */
  readonly unit: string;
  readonly firesAbove: number;
  readonly onlyWhereImportant: boolean;
  readonly effects: readonly EditEffect[];
}

const FIRES_ABOVE = 0.1;

/** Measures an edit on data. */
export async function editEffects(
  subject: RankOneDecomposition,
  plan: EditPlan,
  data: EditData,
  options: EditEffectOptions = {},
): Promise<EditEffects> {
  const { firesAbove = FIRES_ABOVE, onlyWhereImportant = false, strengths = [1], signal, onProgress } = options;
  const program = await prepare(effectProgram(subject, plan, data.x, { firesAbove, onlyWhereImportant }), options);
  const key = foldIn(keyFromSeed(data.seed ?? 0), "edit");
  const positions = axisNames(data.x.axes).includes("pos") ? data.x.shape[1]! : 1;
  const effects: EditEffect[] = [];
  let done = 0;
  try {
    for (const strength of strengths) {
      const rows: Example[] = [];
      for (let b = 0; b < data.batches; b++) {
        signal?.throwIfAborted();
        const given = { axes: "", shape: [], dtype: "f32" as const, data: Float32Array.of(strength) };
        const feeds = { ...subject.values, ...data.feeds, ...editFeeds(plan), "edit:strength": given };
        const found: NamedValues = await program.run(feeds, foldIn(key, b));
        rows.push(...examplesOf(found, positions));
        onProgress?.(++done, strengths.length * data.batches);
      }
      effects.push(effectOf(strength, rows, positions, foldIn(key, "interval")));
    }
  } finally {
    await program.dispose();
  }
  const unit = subject.network.logits === undefined ? "squared error" : "nats";
  return { unit, firesAbove, onlyWhereImportant, effects };
}

/** For each row the divergence, and whether an edited component fires there. */
function effectProgram(
  subject: RankOneDecomposition,
  plan: EditPlan,
  x: Tensor,
  { firesAbove, onlyWhereImportant }: { readonly firesAbove: number; readonly onlyWhereImportant: boolean },
): Readonly<Record<string, Tensor>> {
  const { network, tensors } = subject;
  const importances = subject.activity(x);
  const own = network.forward(tensors, x);
  const where = onlyWhereImportant ? { importances, above: firesAbove } : undefined;
  const edited = network.forward(tensors, x, editHooks(subject, plan, input("edit:strength", "", {}), where));
  const fires = Object.entries(plan).map(([site, { components }]) => {
    const edited = constant("edited", { edited: components.length }, components, "i32");
    const most = max(gather(importances[site]!, edited, "C"), "edited") as Tensor;
    return [`fires/${site}`, cast(greater(most, firesAbove), "f32")] as const;
  });
  return { divergence: divergencePerRow(subject, own, edited), ...Object.fromEntries(fires) };
}

/** How far two outputs are apart, for each position, or example: nats, or the mean over outputs of the squared error. */
function divergencePerRow({ network: { logits } }: RankOneDecomposition, own: Tensor, edited: Tensor): Tensor {
  if (logits !== undefined) return klDivergence(own, edited, logits) as Tensor;
  return mean(square(sub(edited, own)), axisNames(own.axes).at(-1)!) as Tensor;
}

/** One example: its divergences, and at which of their positions an edited component fires. */
interface Example {
  readonly divergence: readonly number[];
  readonly fires: readonly boolean[];
}

function examplesOf(found: NamedValues, positions: number): Example[] {
  const sites = Object.entries(found).filter(([name]) => name.startsWith("fires/"));
  const examples = sites[0]![1].data.length / positions;
  const { data } = found.divergence!;
  // A network that answers once for a sequence has one divergence for it, on target where a component fires anywhere in it.
  const answers = data.length / examples;
  return Array.from({ length: examples }, (_, e) => {
    const firesAt = Array.from({ length: positions }, (__, p) =>
      sites.some(([, fires]) => fires.data[e * positions + p]! > 0),
    );
    return {
      divergence: Array.from(data.subarray(e * answers, (e + 1) * answers)),
      fires: answers === positions ? firesAt : [firesAt.includes(true)],
    };
  });
}

function effectOf(strength: number, examples: readonly Example[], positions: number, key: Key): EditEffect {
  const over = (name: string, counts: (example: Example, at: number) => boolean): Measured =>
    measuredOver(foldIn(key, name), examples, counts);
  const near = ({ fires }: Example, at: number): boolean =>
    fires.some((fired, other) => fired && Math.abs(other - at) <= NEAR);
  return {
    strength,
    onTarget: over("on", ({ fires }, at) => fires[at]!),
    offTarget: over("off", ({ fires }, at) => !fires[at]!),
    surrounding: positions === 1 ? null : over("near", (example, at) => !example.fires[at]! && near(example, at)),
  };
}

function measuredOver(
  key: Key,
  examples: readonly Example[],
  counted: (example: Example, at: number) => boolean,
): Measured {
  const chosen = examples.map((example) => example.divergence.filter((_, at) => counted(example, at)));
  const [totals, counts] = [chosen.map((some) => some.reduce((a, b) => a + b, 0)), chosen.map((some) => some.length)];
  const n = counts.reduce((a, b) => a + b, 0);
  return {
    n,
    examples: counts.filter((count) => count > 0).length,
    mean: n === 0 ? null : totals.reduce((a, b) => a + b, 0) / n,
    interval: ratioInterval(key, totals, counts),
  };
}
