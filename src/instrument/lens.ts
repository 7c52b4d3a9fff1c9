/**
 * Lenses: what the unembedding makes of the residual stream before the network is done with it. The logit lens (nostalgebraist 2020) puts the
 * stream straight through the last norm and the unembedding; a tuned lens (Belrose et al. 2023) through a learned affine map first.
 *
 * A lens is a way to read, not what the network reads: a direction that the unembedding sees and a later block erases shows up in it and
 * has no effect at all.
 */
import type { NamedValues } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { expectGoingOn, type WorkOptions } from "../intervention/capture.ts";
import {
  batchesOf,
  countOf,
  DEFAULT_MEMORY,
  type Examples,
  pickedRun,
  pointSizes,
  rowsWithin,
} from "../intervention/examples.ts";
import type { RunnableNetwork, Traced } from "../network/run.ts";
import { norm } from "../network/transformer/norm.ts";
import type { Transformer } from "../network/transformer/transformer.ts";
import {
  add,
  cast,
  contract,
  equal,
  input,
  type Key,
  klDivergence,
  relabel,
  softmax,
  type Tensor,
  type Tensors,
  topK,
} from "../tensor/index.ts";
import { expectTransformer } from "./attention-circuits.ts";
import type { Finding } from "./finding.ts";
import { withShuffled } from "./shuffled-weights.ts";

/** How a lens does at one point, over positions. */
export interface LensScore {
  readonly point: string;
  /** The mean of `KL(network ‖ lens)`, in nats. */
  readonly divergence: number;
  /** How often its most likely token is the network's. */
  readonly agreement: number;
}

export interface LensRow extends LensScore {
  /** The same of the network with shuffled weights, read by its own lens. */
  readonly shuffled: Omit<LensScore, "point">;
}

export interface LensTable extends Finding {
  readonly rows: readonly LensRow[];
}

/** What a lens does not tell. */
export const LENS_LIMITS =
  "that the network uses what the lens shows: a later block can erase it, and patching it then changes nothing";

/** Where a lens looks: the stream before each block, and after the last. */
export function lensPoints({ config }: Transformer): string[] {
  const before = Array.from({ length: config.layers }, (_, layer) => `blocks.${layer}.hook_resid_pre`);
  return [...before, `blocks.${config.layers - 1}.hook_resid_post`];
}

/**
 * The logits that a lens reads.
 *
 * @param stream     `… d_model`
 * @param translator `A`, `d_in d_out`, and `b`, `d_out`; none for the logit lens
 */
export function lensLogits(
  network: Transformer,
  weights: Tensors,
  stream: Tensor,
  translator?: { readonly A: Tensor; readonly b: Tensor },
): Tensor {
  const read = translator === undefined ? stream : translated(stream, translator);
  return network.unembedding!.logits(weights, norm(network.config.norm, weights, "ln_final", read, {}));
}

function translated(stream: Tensor, { A, b }: { readonly A: Tensor; readonly b: Tensor }): Tensor {
  const leading = stream.axes.replace(/ ?d_model$/, "");
  const out = contract(relabel(stream, `${leading} d_in`), A, `${leading} d_out`);
  return relabel(add(out, b), stream.axes);
}

/** The translators of a tuned lens by the names they are kept under. */
export const translatorNames = (point: string): { readonly A: string; readonly b: string } => ({
  A: `${point}.A`,
  b: `${point}.b`,
});

/** Translators as inputs of a program; nothing for the logit lens. */
function translatorInputs(point: string, size: number): { readonly A: Tensor; readonly b: Tensor } {
  const { A, b } = translatorNames(point);
  return {
    A: input(A, "d_in d_out", { d_in: size, d_out: size }) as Tensor,
    b: input(b, "d_out", { d_out: size }) as Tensor,
  };
}

/** The logit lens at every point, beside that of the network with shuffled weights. */
export async function logitLens(
  runnable: RunnableNetwork,
  examples: Examples,
  key: Key,
  options: WorkOptions = {},
): Promise<LensTable> {
  const { own, shuffled } = await withShuffled(runnable, key, (one) => lensScores(one, examples, undefined, options));
  return {
    rows: own.scores.map((score, i) => {
      const { divergence, agreement } = shuffled.scores[i]!;
      return { ...score, shuffled: { divergence, agreement } };
    }),
    n: own.n,
    counted: "positions",
    nullDescription: "the network with shuffled weights, read by its own lens",
    doesNotEstablish: LENS_LIMITS,
  };
}

/** How a lens does at each point. */
export async function lensScores(
  runnable: RunnableNetwork,
  examples: Examples,
  translators: NamedValues | undefined,
  options: WorkOptions = {},
): Promise<{ readonly scores: readonly LensScore[]; readonly n: number }> {
  const network = expectTransformer("lens", runnable.network);
  const points = lensPoints(network);
  expectTranslators(points, translators);
  const { signal, onProgress, memoryBytes = DEFAULT_MEMORY } = options;
  const program = scoreProgram(network, points, translators !== undefined);
  const totals = points.map(() => ({ divergence: 0, agreement: 0 }));
  // Logits of every point are held, and what is made of them.
  const most = rowsWithin(pointSizes(runnable, examples.x), memoryBytes / points.length);
  const pos = examples.x.shape[1]!;
  let [n, done] = [0, 0];
  for (const { rows, used } of batchesOf(countOf(examples), most)) {
    expectGoingOn(signal);
    const { x, ...rest } = pickedRun(examples, rows);
    const found = await runnable.compute(x, program, { ...rest, feeds: translators ?? {} });
    for (let row = 0; row < used; row++) {
      for (let p = examples.padding?.[rows[row]!] ?? 0; p < pos; p++) {
        n++;
        points.forEach((point, i) => {
          totals[i]!.divergence += found[`divergence ${point}`]!.data[row * pos + p]!;
          totals[i]!.agreement += found[`agreement ${point}`]!.data[row * pos + p]!;
        });
      }
    }
    done += used;
    onProgress?.(done, countOf(examples));
  }
  const scores = points.map((point, i) => ({
    point,
    divergence: totals[i]!.divergence / n,
    agreement: totals[i]!.agreement / n,
  }));
  return { scores, n };
}

function scoreProgram(
  network: Transformer,
  points: readonly string[],
  tuned: boolean,
): (traced: Traced) => Record<string, Tensor> {
  return ({ output, at, weights }) => {
    const own = topK(output, "vocab", 1).indices;
    return Object.fromEntries(
      points.flatMap((point) => {
        const translator = tuned ? translatorInputs(point, network.config.dModel) : undefined;
        const logits = lensLogits(network, weights, at[point]!, translator);
        return [
          [`divergence ${point}`, klDivergence(output, logits, "vocab") as Tensor],
          [`agreement ${point}`, cast(equal(topK(logits, "vocab", 1).indices, own) as Tensor, "f32")],
        ];
      }),
    );
  };
}

/** What a lens reads at one point and position: tokens, the most likely first, and their probabilities. */
export interface LensReading {
  readonly point: string;
  readonly position: number;
  readonly tokens: readonly number[];
  readonly probabilities: readonly number[];
}

/** What a lens reads of one prompt, at every point and position, and last what the network says. */
export async function lensReadings(
  runnable: RunnableNetwork,
  prompt: Examples,
  translators?: NamedValues,
  k = 5,
): Promise<LensReading[]> {
  const network = expectTransformer("lens", runnable.network);
  if (countOf(prompt) !== 1) {
    throw new MechanistError("BadArgument", `lens readings: expected one prompt, got ${countOf(prompt)}`);
  }
  const points = lensPoints(network);
  expectTranslators(points, translators);
  const kept = Math.min(k, network.config.vocab);
  const read = (point: string, logits: Tensor): [string, Tensor][] => {
    const { values, indices } = topK(softmax(logits, "vocab"), "vocab", kept);
    return [
      [`probabilities ${point}`, values],
      [`tokens ${point}`, indices],
    ];
  };
  const found = await runnable.compute(
    prompt.x,
    ({ output, at, weights }: Traced): Record<string, Tensor> => ({
      ...Object.fromEntries(
        points.flatMap((point) => {
          const translator = translators && translatorInputs(point, network.config.dModel);
          return read(point, lensLogits(network, weights, at[point]!, translator));
        }),
      ),
      ...Object.fromEntries(read(OUTPUT, output)),
    }),
    { feeds: translators ?? {}, ...(prompt.padding !== undefined && { padding: prompt.padding }) },
  );
  const cut = (name: string, position: number): number[] =>
    Array.from(found[name]!.data.slice(position * kept, (position + 1) * kept));
  return [...points, OUTPUT].flatMap((point) =>
    Array.from({ length: prompt.x.shape[1]! }, (_, position) => ({
      point,
      position,
      tokens: cut(`tokens ${point}`, position),
      probabilities: cut(`probabilities ${point}`, position),
    })),
  );
}

/** What stands for a point in readings of the network's own output. */
export const OUTPUT = "output";

/** Refuses translators of another network. */
function expectTranslators(points: readonly string[], translators: NamedValues | undefined): void {
  if (translators === undefined) return;
  const missing = points.find((point) => !Object.values(translatorNames(point)).every((name) => name in translators));
  if (missing === undefined) return;
  throw new MechanistError("BadArgument", `tuned lens: expected a translator at ${missing}, got none`);
}
