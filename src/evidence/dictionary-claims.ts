/**
 * What a dictionary does on the network's own data, beside what its file claims: how many latents are on, how much of the variance they explain, how
 * often each fires, and where the strongest of them are strongest.
 *
 *   l0 = mean over rows of |{c : z_c > 0}|      explained variance = 1 - Σ‖v - v̂‖² / Σ‖v - v̄‖²
 *
 * A file's numbers are of other texts, and of other ways to count (padding, first positions, sums or means over dimensions): agreement says that the
 * dictionary was read as it was meant; disagreement does not say which of the two is at fault.
 */
import { formatAddress } from "../decomposition/address.ts";
import type { Claims } from "../decomposition/dictionary/formats/stored.ts";
import { compile, type NamedValues } from "../engine/index.ts";
import { spearman } from "../instrument/rank-correlation.ts";
import { axisNames, type Tensor } from "../tensor/index.ts";
import { explainedVariance } from "./explained-variance.ts";
import type { FreshData } from "./fresh-data.ts";

/** Where a latent is strongest. */
export interface TopActivation {
  readonly address: string;
  /** The length of what it writes there. */
  readonly activation: number;
  /** The row's example and position; tokens as ids where the network reads tokens. */
  readonly example: number;
  readonly position: number;
  readonly token?: number;
}

/** What was measured at a site. */
export interface DictionaryMeasures {
  /** Rows it was measured on: positions of examples. */
  readonly rows: number;
  readonly l0: number;
  /** Of the point that it writes first; over several, see the verdict. */
  readonly explainedVariance?: number;
  /** Fraction of rows at which each latent is on. */
  readonly firing: Float64Array;
  /** Latents that are on nowhere. */
  readonly silent: number;
  readonly top: readonly TopActivation[];
}

/** The strongest latents that are shown. */
const SHOWN = 5;

/** Measures every site on batches nobody trained on. */
export async function dictionaryMeasures(data: FreshData): Promise<Readonly<Record<string, DictionaryMeasures>>> {
  const { decomposition, given, options } = data;
  const explained = await explainedVariance(data);
  const sites = decomposition.sites.map(({ name }) => name);
  const axes = axisNames(given.x.axes);
  const tokens = given.x.dtype === "i32" && axes[1] === "pos";
  const positions = axes[1] === "pos" ? given.x.shape[1]! : 1;
  const counts = Object.fromEntries(
    decomposition.sites.map(({ name }): [string, Tally] => [
      name,
      new Tally(decomposition.components.filter(({ site }) => site === name).length),
    ]),
  );
  const examples = given.x.shape[0]!;
  const program = await compile(decomposition.activity(given.x) as Record<string, Tensor>, options);
  try {
    for (let i = 0; i < data.batches; i++) {
      const { feeds, key } = await data.draw(i);
      const found: NamedValues = await program.run(feeds, key);
      const ids = feeds["evaluation.x"]!.data;
      for (const site of sites) {
        const { data: strengths, shape } = found[site]!;
        counts[site]!.add(strengths, shape[1]!, (row) => ({
          example: i * examples + Math.floor((row * examples) / shape[1]!),
          position: row % positions,
          ...(tokens && shape[1] === examples * positions && { token: ids[row]! }),
        }));
      }
    }
  } finally {
    await program.dispose();
  }
  return Object.fromEntries(
    sites.map((site): [string, DictionaryMeasures] => [site, counts[site]!.measures(site, explained[site])]),
  );
}

type Row = Omit<TopActivation, "address" | "activation">;

class Tally {
  readonly #on: Float64Array;
  readonly #strongest: Float64Array;
  readonly #where: (Row | undefined)[];
  #rows = 0;

  constructor(count: number) {
    this.#on = new Float64Array(count);
    this.#strongest = new Float64Array(count);
    this.#where = Array.from({ length: count }, () => undefined);
  }

  /** @param strengths `C batch` */
  add(strengths: ArrayLike<number>, rows: number, rowOf: (row: number) => Row): void {
    for (let c = 0; c < this.#on.length; c++) {
      for (let r = 0; r < rows; r++) {
        const strength = strengths[c * rows + r]!;
        if (strength <= 0) continue;
        this.#on[c]!++;
        if (strength <= this.#strongest[c]!) continue;
        this.#strongest[c] = strength;
        this.#where[c] = rowOf(r);
      }
    }
    this.#rows += rows;
  }

  measures(site: string, explained: number | undefined): DictionaryMeasures {
    const order = Array.from(this.#on.keys()).sort((a, b) => this.#strongest[b]! - this.#strongest[a]!);
    const firing = this.#on.map((on) => on / this.#rows);
    return {
      rows: this.#rows,
      l0: firing.reduce((total, x) => total + x, 0),
      ...(explained !== undefined && { explainedVariance: explained }),
      firing,
      silent: this.#on.filter((on) => on === 0).length,
      top: order.slice(0, SHOWN).flatMap((c) => {
        const where = this.#where[c];
        return where === undefined
          ? []
          : [{ address: formatAddress({ site, component: c }), activation: this.#strongest[c]!, ...where }];
      }),
    };
  }
}

/** A file's number beside the one found. */
export interface ClaimedNumber {
  readonly what: "l0" | "explainedVariance";
  readonly claimed: number;
  readonly found: number;
}

/** A file's claims beside what was found; nothing in either where it claims nothing. */
export interface Agreement {
  readonly numbers: readonly ClaimedNumber[];
  /** Spearman's rank correlation of how often latents fire. */
  readonly firingCorrelation?: number;
}

/** Holds what was measured against what the file says. */
export function agreement(claims: Claims, found: DictionaryMeasures): Agreement {
  const numbers = (["l0", "explainedVariance"] as const).flatMap((what): ClaimedNumber[] => {
    const [claimed, own] = [claims[what], found[what]];
    return claimed === undefined || own === undefined ? [] : [{ what, claimed, found: own }];
  });
  const correlation = claims.firing && spearman(Array.from(claims.firing), Array.from(found.firing));
  return {
    numbers,
    ...(correlation !== undefined && Number.isFinite(correlation) && { firingCorrelation: correlation }),
  };
}
