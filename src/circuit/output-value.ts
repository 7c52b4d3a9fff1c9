/**
 * Where heads read values and where they write, as Gram matrices over the residual stream, and how alike those of two heads are: the Frobenius
 * cosine. Components weighed by how much they matter on data make it a statement about those (VPD, "OV"). Two random heads are not at 0 but at
 * `d_head / (d_model + d_head + 1)`, which stands beside every number.
 */
import { type NamedValues, type Values, values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { isTransformer } from "../network/transformer/transformer.ts";
import { componentCount, type RankOneDecomposition, siteOf } from "./subject.ts";

/**
 * The cosine that Gram matrices of two independent Gaussian `d_model d_head` matrices have: the ratio of the expected product to the expected
 * squared length, from the second moment of a Wishart matrix.
 */
export function randomGramCosine(dModel: number, dHead: number): number {
  return dHead / (dModel + dHead + 1);
}

/**
 * The Frobenius cosine of `A Aᵀ` and `B Bᵀ`, from 0 to 1: whether two matrices read from, or write to, the same directions.
 *
 * @param a as many rows as the stream has dimensions
 */
export function gramCosine(a: readonly Float64Array[], b: readonly Float64Array[]): number {
  // ⟨A Aᵀ, B Bᵀ⟩ = ‖Aᵀ B‖², which needs no matrix of the stream's size.
  const between = squaredProduct(a, b);
  const lengths = Math.sqrt(squaredProduct(a, a) * squaredProduct(b, b));
  return lengths === 0 ? 0 : between / lengths;
}

function squaredProduct(a: readonly Float64Array[], b: readonly Float64Array[]): number {
  const [m, n] = [a[0]!.length, b[0]!.length];
  let total = 0;
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let product = 0;
      for (let row = 0; row < a.length; row++) product += a[row]![i]! * b[row]![j]!;
      total += product * product;
    }
  }
  return total;
}

export interface HeadOverlap {
  /** `head other`: where values are read, by key-value head, and where heads write. 1 on the diagonal. */
  readonly reads: Values;
  readonly writes: Values;
  /** What two random heads have. */
  readonly random: number;
}

/**
 * How alike the heads of a layer are in what they read and write through components.
 *
 * @param weights of each component, `C` by site, a mean importance for instance; 1 unless given, 0 leaves one out
 */
export function headOverlap(subject: RankOneDecomposition, layer: number, weights: NamedValues = {}): HeadOverlap {
  const { network } = subject;
  if (!isTransformer(network)) {
    throw new MechanistError("BadArgument", "head overlap: expected a transformer, got a network without attention");
  }
  const { dModel, attention } = network.config;
  const { heads, kvHeads, dHead } = attention;
  const matrix = (part: string): Float64Array => weighedSum(subject, `blocks.${layer}.attn.W_${part}`, weights);
  const [V, O] = [matrix("V"), matrix("O")];
  // W_V is `d_model head·d_head`, W_O `head·d_head d_model`: both as rows of the stream.
  const reads = Array.from({ length: kvHeads }, (_, head) =>
    Array.from({ length: dModel }, (__, i) => V.slice((i * kvHeads + head) * dHead, (i * kvHeads + head + 1) * dHead)),
  );
  const writes = Array.from({ length: heads }, (_, head) =>
    Array.from({ length: dModel }, (__, i) =>
      Float64Array.from({ length: dHead }, (___, d) => O[(head * dHead + d) * dModel + i]!),
    ),
  );
  const overlaps = (all: readonly (readonly Float64Array[])[]): Values =>
    values(
      "head other",
      [all.length, all.length],
      all.flatMap((a) => all.map((b) => gramCosine(a, b))),
    );
  return { reads: overlaps(reads), writes: overlaps(writes), random: randomGramCosine(dModel, dHead) };
}

/** `Σ_c w_c V_c U_c`, `d_in d_out`. */
function weighedSum(subject: RankOneDecomposition, site: string, weights: NamedValues): Float64Array {
  const { dIn, dOut } = siteOf(subject, site);
  const [V, U] = [subject.values[`${site}.V`]!.data, subject.values[`${site}.U`]!.data];
  const C = componentCount(subject, site);
  const found = new Float64Array(dIn * dOut);
  for (let c = 0; c < C; c++) {
    const weight = weights[site]?.data[c] ?? 1;
    if (weight === 0) continue;
    for (let i = 0; i < dIn; i++) {
      const read = weight * V[i * C + c]!;
      for (let o = 0; o < dOut; o++) found[i * dOut + o]! += read * U[c * dOut + o]!;
    }
  }
  return found;
}
