/** How much memory a harvest takes, known before it starts: the most it can need, which is what it is held to. */
import { MechanistError } from "../error.ts";
import type { Decomposition } from "../decomposition/decomposition.ts";
import type { NamedValues } from "../engine/index.ts";
import { axisSize, type Tensor } from "../tensor/index.ts";
import type { TokenNames } from "../data/token-names.ts";
import { countBytes } from "./counts.ts";
import { type HarvestSettings, KEPT } from "./settings.ts";
import { stimulusCount } from "./stimuli.ts";

/** The data that a harvest reads. */
export interface HarvestSource {
  /** A batch of examples as a program of draws, and of the tables. */
  readonly batch: (size: number) => Tensor;
  readonly tables: NamedValues;
  /** How tokens read; absent where the network reads none. */
  readonly tokens?: TokenNames;
}

/** Sizes of a pass, and the bytes it may take. */
export interface HarvestPlan {
  readonly components: number;
  /** Tokens or features of the input. */
  readonly stimuli: number;
  /** Output tokens that are counted; 0 for none. */
  readonly outputs: number;
  /** Examples a batch, and rows: positions, or examples where there are none. */
  readonly batch: number;
  readonly rows: number;
  readonly pairBytes: number;
  readonly tokenBytes: number;
  /** What takes how many bytes at most. */
  readonly bytes: Readonly<
    Record<"runtime" | "program" | "totals" | "examples" | "outputs" | "pairs" | "tokens" | "saving", number>
  >;
  /** Their sum. */
  readonly total: number;
}

const MIB = 2 ** 20;
/** Rows of a batch: enough for fast products, few enough to hold. */
const ROWS = 2048;
/** Importances of a batch. */
const MOST_IMPORTANCES = 2 ** 23;
/** What an example takes beside its numbers. */
const EXAMPLE = 600;
/** The process itself: Node and ONNX Runtime with a program loaded (measured: 90 to 150 MiB). */
const RUNTIME = 160 * MIB;
/** Copies of a batch's numbers that a program holds at once: what functions of importances compute on the way. */
const COPIES = 24;

/**
 * Plans a pass within a limit.
 *
 * @param limit bytes
 * @throws `BadArgument` where it cannot be held to the limit
 */
export function planHarvest(
  decomposition: Decomposition,
  source: HarvestSource,
  settings: HarvestSettings,
  limit: number,
): HarvestPlan {
  const { network, sites } = decomposition;
  const components = decomposition.components.length;
  const one = source.batch(1);
  const rowsEach = Math.max(...Object.values(decomposition.activity(one)).map((rows) => axisSize(rows, "batch")));
  const most = Math.max(1, Math.min(ROWS, Math.floor(MOST_IMPORTANCES / components)));
  const batch = Math.max(1, Math.floor(most / rowsEach));
  const rows = batch * rowsEach;
  const stimuli = stimulusCount(network.input);
  const vocab = outputCount(decomposition, one, rowsEach);
  const outputs = settings.outputs ? vocab : 0;
  const widths = sites.reduce((sum, { dIn, dOut }) => sum + dIn + dOut, 0);
  const shown = one.axes.endsWith("feature") ? stimuli : Math.min(2 * settings.window + 1, one.shape[1]!);
  const fixed = {
    runtime: RUNTIME,
    program: 4 * rows * (COPIES * (widths + components) + 6 * vocab) + 8 * rows * components,
    totals: 8 * (4 * components + stimuli + outputs),
    examples: (2 * settings.examples * components + KEPT.background) * (EXAMPLE + 8 * shown),
    outputs: 8 * components * outputs,
  };
  const used = Object.values(fixed).reduce((a, b) => a + b, 0);
  // Saving copies the tallies once to numbers of a file and once to its bytes.
  const held = fixed.totals + fixed.examples + fixed.outputs;
  const share = Math.floor((limit - used - 2 * held) / 6);
  const pairBytes = countBytes(components ** 2, share);
  const tokenBytes = countBytes(components * stimuli, share);
  const bytes = {
    ...fixed,
    pairs: pairBytes,
    tokens: tokenBytes,
    saving: 2 * (held + pairBytes + tokenBytes),
  };
  const total = Object.values(bytes).reduce((a, b) => a + b, 0);
  if (total > limit) {
    const hint = outputs > 0 ? `; --no-outputs saves ${mebibytes(3 * fixed.outputs)}` : "";
    throw new MechanistError(
      "BadArgument",
      `harvest: expected at most ${mebibytes(limit)} of memory, got ${mebibytes(total)} for ${components} components${hint}`,
      { limit, total, bytes },
    );
  }
  return { components, stimuli, outputs, batch, rows, pairBytes, tokenBytes, bytes, total };
}

/** Refuses a plan that this machine has no room for. */
export function expectRoom(plan: HarvestPlan, free: { readonly memory: number; readonly disk: number }): void {
  for (const [what, there, needed] of [
    ["memory", free.memory, plan.total],
    ["disk", free.disk, plan.bytes.saving],
  ] as const) {
    if (needed <= there) continue;
    throw new MechanistError(
      "Unavailable",
      `harvest: expected ${mebibytes(needed)} of free ${what}, got ${mebibytes(there)}`,
      { needed, free: there },
    );
  }
}

/** Bytes as people read them. */
export function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / MIB).toLocaleString("en-US")} MiB`;
}

/** How many output tokens there are; 0 where outputs are no distribution with a row for each of the components'. */
function outputCount({ network, tensors }: Decomposition, one: Tensor, rows: number): number {
  if (network.logits === undefined) return 0;
  const output = network.forward(tensors, one);
  const vocab = axisSize(output, network.logits);
  return output.shape.reduce((a, b) => a * b, 1) === rows * vocab ? vocab : 0;
}
