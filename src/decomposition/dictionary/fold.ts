/**
 * What a dictionary's inputs went through in training, folded into its weights: centring by the decoder's bias, scaling, thresholds by their logarithms.
 * What comes out acts on activations as the network has them, and what latents write is in the activations' units.
 *
 * With `x' = s x` and `y' = t y` the trained `y' = σ(x' W_enc + b) W_dec + c` is `y = σ(x (s/t) W_enc + b/t) W_dec + c/t`, σ being the same for
 * all lengths; so the decoder's rows stay as long as they are.
 */
import type { NamedValues, Values } from "../../engine/index.ts";
import type { WeightSpec } from "../../network/network.ts";
import type { RowPoint } from "./rows.ts";

/** What rows of a point are multiplied with: the name it is kept under. */
export const scaleName = (point: string): string => `scale/${point}`;

/** The scales among what a training carries. */
export function scalesOf(state: NamedValues): NamedValues {
  return Object.fromEntries(Object.entries(state).filter(([name]) => name.startsWith(scaleName(""))));
}

export interface Folded {
  readonly logThresholds: boolean;
  readonly subtractDecoderBias: boolean;
}

/** The weights of a dictionary as they are saved; ones that do not change are the same objects. */
export function foldedDictionary(
  { site, reads, writes }: { readonly site: string; readonly reads: RowPoint; readonly writes: RowPoint },
  specs: readonly WeightSpec[],
  state: NamedValues,
  { logThresholds, subtractDecoderBias }: Folded,
): NamedValues {
  const scaleOf = (name: string): number => state[scaleName(name)]?.data[0] ?? 1;
  const [s, t] = [scaleOf(reads.name), scaleOf(writes.name)];
  const own = (name: string): Values | undefined => state[`${site}.${name}`];
  const offset = subtractDecoderBias ? biasThrough(own("b_dec")!, own("W_enc")!) : undefined;
  const logFactor = own("r_mag")?.data;
  const centred = (c: number, name: string): number =>
    offset === undefined ? 0 : offset[c]! * (name === "b_mag" ? Math.exp(logFactor![c]!) : 1);
  const folds: Readonly<Record<string, (x: number, i: number) => number>> = {
    ...(s !== t && { W_enc: (x) => (x * s) / t, W_skip: (x) => (x * s) / t }),
    ...((t !== 1 || offset) &&
      Object.fromEntries(
        ["b_enc", "b_gate", "b_mag"].map((name) => [name, (x: number, c: number) => (x + centred(c, name)) / t]),
      )),
    ...((t !== 1 || logThresholds) && { threshold: (x: number) => (logThresholds ? Math.exp(x) : x) / t }),
    ...(t !== 1 && { b_dec: (x: number) => x / t }),
  };
  return Object.fromEntries(
    specs.map(({ name }) => {
      const tensor = state[name]!;
      const fold = folds[name.slice(site.length + 1)];
      if (fold === undefined) return [name, tensor];
      return [name, { ...tensor, data: Float32Array.from(tensor.data, fold) }];
    }),
  );
}

/** `-b_dec W_enc`. */
function biasThrough(b_dec: Values, W_enc: Values): Float64Array {
  const [dIn, C] = W_enc.shape as [number, number];
  const out = new Float64Array(C);
  for (let i = 0; i < dIn; i++) for (let c = 0; c < C; c++) out[c]! -= b_dec.data[i]! * W_enc.data[i * C + c]!;
  return out;
}
