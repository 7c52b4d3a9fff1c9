/**
 * The length of a two-part code for what a network does on some data: components once, then for each datum which of them it uses, then what the
 * components leave unsaid (Braun, Bushnaq, Heimersheim, Mendel & Sharkey 2025, "Interpretability in Parameter Space", where minimal description
 * length is what is wanted of a decomposition):
 *
 *   L = Σ_c bits(c)  +  Σ_x [log₂(C + 1) + log₂ binom(C, k_x)]  +  Σ_x bits of the residual
 *
 * where C components are used at all and datum x uses k_x of them; the first term of a datum says k_x. Components that no datum uses cost
 * nothing. The residual is coded as normal noise of a given width: `n/2 log₂(1 + mse / width²)` bits beyond noise of that width for n outputs.
 *
 * What it does not say: which decomposition is right. One component that holds the whole network is never longer than its parts, for the sets
 * cost nothing then; in superposition nor are its neurons, which are fewer than its mechanisms; and codes may tie: `W = [1, 1, 1, 1]` is taken
 * apart into `[0, 1, 1, 1] + [1, 0, 0, 0]` at the same length as into any other two parts of the support. What is to be small for a datum is not
 * the whole code but its own mechanism: see `mechanismLength`, which by itself likes a table best, with a component for every datum. Both together,
 * components once and then the mechanism of each datum, put the truth first on the toys of the tests.
 */
import { meanOfNumbers } from "../intervention/bootstrap.ts";

/** What is coded. */
export interface Coded {
  /** Of each component, at so many bits a number; one entry a component. */
  readonly componentBits: readonly number[];
  /** For each datum, the components that it uses. */
  readonly active: readonly (readonly number[])[];
  /** For each datum, the mean squared error over outputs when only those are there. */
  readonly errors: readonly number[];
  readonly outputs: number;
  /** The standard deviation of an error that does not matter. */
  readonly width: number;
}

/** A code length in bits, part by part. */
export interface DescriptionLength {
  readonly components: number;
  readonly active: number;
  readonly residual: number;
  readonly total: number;
}

/** The length of the code. */
export function descriptionLength({ componentBits, active, errors, outputs, width }: Coded): DescriptionLength {
  const used = [...new Set(active.flat())];
  const components = used.reduce((sum, c) => sum + componentBits[c]!, 0);
  const sets = active.reduce((sum, set) => sum + setBits(used.length, new Set(set).size), 0);
  const residual = errors.reduce((sum, error) => sum + (outputs / 2) * Math.log2(1 + error / width ** 2), 0);
  return { components, active: sets, residual, total: components + sets + residual };
}

/**
 * The length of the mechanism that a datum uses, mean over data: `log₂(C) k_x + α Σ_{c active} rank(c)` (Braun et al. 2025, L_MDL). Here a network
 * that is one component pays for all of its ranks on every datum.
 *
 * @param ranks of each component
 * @param alpha bits a rank
 */
export function mechanismLength(ranks: readonly number[], active: Coded["active"], alpha: number): number {
  const count = new Set(active.flat()).size;
  const lengths = active.map((set) => set.reduce((sum, c) => sum + Math.log2(count) + alpha * ranks[c]!, 0));
  return meanOfNumbers(lengths);
}

/** The bits that it takes to say which k of C, k itself included. */
export function setBits(C: number, k: number): number {
  return Math.log2(C + 1) + log2Binomial(C, k);
}

function log2Binomial(n: number, k: number): number {
  let bits = 0;
  for (let i = 1; i <= Math.min(k, n - k); i++) bits += Math.log2(n - i + 1) - Math.log2(i);
  return bits;
}
