/**
 * What the page computes from a checkpoint: the components, when each matters, and what the network answers without some of them.
 * The network here is the same traced function that was trained, run by the float64 arbiter.
 */
import { parseAddress } from "../../decomposition/address.ts";
import { importanceFunction } from "../../decomposition/parameter/importance/function.ts";
import type { ImportanceSettings } from "../../decomposition/parameter/importance/settings.ts";
import { ParameterDecomposition } from "../../decomposition/parameter/parameter-decomposition.ts";
import { interpret, type NamedValues, type Values } from "../../engine/index.ts";
import { aliveComponents } from "../../evidence/alive.ts";
import { byTotal, identityOrder } from "../../evidence/assignment.ts";
import { matchColumns } from "../../evidence/mean-max-cosine.ts";
import { PROBE_MAGNITUDE, probeImportances, probeInputs } from "../../evidence/probe.ts";
import { denseError, identityError } from "../../evidence/target-ci-error.ts";
import { type Network, type Site, weightInputs } from "../../network/network.ts";
import { constant, input, scalar, type Tensor } from "../../tensor/index.ts";

/** One site taken apart. Arrays are row-major. */
export interface SiteParts {
  readonly name: string;
  readonly dIn: number;
  readonly dOut: number;
  /** Which side of its matrix runs over features; absent, neither does. */
  readonly features?: "in" | "out";
  /** How many components there are. */
  readonly count: number;
  /** `d_in C` and `C d_out`. */
  readonly V: Float64Array;
  readonly U: Float64Array;
  /** The network's own matrix, what the components add up to, and what they leave over: `d_in d_out`. */
  readonly W: Float64Array;
  readonly sum: Float64Array;
  readonly delta: Float64Array;
  /** Causal importances on the probe, `input C`. */
  readonly importances: Float64Array;
  /** Components in the order in which they are shown: matched to features, or by total importance; the dead last, by norm. */
  readonly order: readonly number[];
  readonly components: readonly PartInfo[];
  readonly expectedAlive: number;
  readonly targetCiError: number;
  readonly mmcs?: number;
  readonly ml2r?: number;
}

export interface PartInfo {
  /** Importance above the threshold on some probe input. */
  readonly alive: boolean;
  /** Its largest importance on the probe. */
  readonly peak: number;
  /** The feature it is assigned to; only where the site has features and the component is alive. */
  readonly feature?: number;
  /** Frobenius norm of its matrix, `‖V_c‖ ‖U_c‖`. */
  readonly norm: number;
}

/** Everything that is drawn of one checkpoint. */
export interface Analysis {
  readonly features: number;
  readonly hidden: number;
  readonly magnitude: number;
  /** The network's feature vectors, `feature hidden`. */
  readonly W: Float64Array;
  /** The network's own answer to each probe input, `input feature`. */
  readonly output: Float64Array;
  readonly sites: readonly SiteParts[];
}

export class Laboratory {
  readonly #features: number;
  readonly #network: Network;
  readonly #weights: NamedValues;
  readonly #decomposition: ParameterDecomposition | undefined;

  /**
   * @param components absent for a network that has not been taken apart
   * @param settings   of the decomposition: which function predicts importances
   */
  constructor(
    network: Network,
    features: number,
    weights: NamedValues,
    components?: NamedValues,
    settings: Readonly<Record<string, unknown>> = {},
  ) {
    this.#network = network;
    this.#features = features;
    this.#weights = Object.fromEntries(network.weights.map(({ name, axes }) => [name, { ...weights[name]!, axes }]));
    if (components) {
      // A run may have left sites whole.
      const sites = network.sites.filter(({ name }) => components[`${name}.V`] !== undefined);
      // Components of rank one can be looked at here; of others the page shows what its verdict says.
      if (sites.length === 0) return;
      const apart = { ...network, sites };
      // Documents have all settings; those of before there was a choice have gates.
      const asked = {
        importance: "gate",
        gateStart: "normal",
        importanceHidden: "256",
        ...settings,
      } as unknown as ImportanceSettings;
      const importance = importanceFunction(asked, apart);
      this.#decomposition = new ParameterDecomposition(apart, this.#weights, components, importance);
    }
  }

  analysis(): Analysis {
    const { W } = this.#weights;
    const importances = this.#decomposition ? probeImportances(this.#decomposition, this.#features) : {};
    return {
      features: this.#features,
      hidden: W!.shape[1]!,
      magnitude: PROBE_MAGNITUDE,
      W: Float64Array.from(W!.data),
      output: this.outputWithout([]),
      sites: this.#network.sites.flatMap((site) => {
        const found = importances[site.name];
        return found ? [this.#parts(site, found)] : [];
      }),
    };
  }

  /**
   * The answers to the probe with some components taken out of the network's weights; what the components leave over stays in,
   * unless `site:remainder` is taken out too. With nothing taken out these are the network's own.
   *
   * @returns `input feature`
   */
  outputWithout(addresses: readonly string[]): Float64Array {
    const n = this.#features;
    const sizes = { batch: n, feature: n };
    const x = input("x", "batch feature", sizes);
    const feeds = { ...this.#weights, ...this.#decomposition?.values, x: probeInputs(n) };
    const output = this.#decomposition ? this.#masked(this.#decomposition, x, addresses) : this.#plain(x);
    return Float64Array.from(interpret({ output }, feeds).output.data);
  }

  #plain(x: Tensor): Tensor {
    return this.#network.forward(weightInputs(this.#network.weights), x);
  }

  #masked(decomposition: ParameterDecomposition, x: Tensor, addresses: readonly string[]): Tensor {
    const batch = this.#features;
    const gone = addresses
      .map(parseAddress)
      .filter(({ site }) => decomposition.sites.some(({ name }) => name === site));
    const touched = [...new Set(gone.map(({ site }) => site))];
    const masks = touched.map((site) => {
      const C = decomposition.componentCount(site);
      const kept = new Float64Array(C * batch).fill(1);
      for (const { component } of gone.filter((address) => address.site === site)) {
        if (component !== "remainder" && component < C) kept.fill(0, component * batch, (component + 1) * batch);
      }
      return [site, constant("C batch", { C, batch }, kept)] as const;
    });
    const remainder = touched.map((site) => {
      const out = gone.some((address) => address.site === site && address.component === "remainder");
      return [site, scalar(out ? 0 : 1)] as const;
    });
    return decomposition.masked(x, Object.fromEntries(masks), { remainder: Object.fromEntries(remainder) });
  }

  #parts(site: Site, found: Values): SiteParts {
    const { values } = this.#decomposition!;
    const [V, U] = [values[`${site.name}.V`]!, values[`${site.name}.U`]!];
    const W = this.#matrix(site);
    const count = V.shape[1]!;
    const { sum, delta } = sumOf(site, W.data, V.data, U.data);
    const match = site.features && matchColumns(W, V, U, site.features);
    const { order, components } = arranged(site, found, norms(site, count, V.data, U.data));
    return {
      ...site,
      count,
      V: Float64Array.from(V.data),
      U: Float64Array.from(U.data),
      W: Float64Array.from(W.data),
      sum,
      delta,
      importances: Float64Array.from(found.data),
      order,
      components,
      expectedAlive: site.features ? this.#features : Math.min(site.dIn, site.dOut),
      targetCiError: site.features ? identityError(found) : denseError(found, Math.min(site.dIn, site.dOut)),
      ...(match && { mmcs: match.mmcs, ml2r: match.ml2r }),
    };
  }

  #matrix(site: Site): Values {
    const { tensors, values } = this.#decomposition!;
    return interpret({ W: this.#network.matrix(tensors, site.name) }, values).W;
  }
}

type Numbers = ArrayLike<number>;

function sumOf(site: Site, W: Numbers, V: Numbers, U: Numbers): { sum: Float64Array; delta: Float64Array } {
  const { dIn, dOut } = site;
  const count = V.length / dIn;
  const sum = new Float64Array(dIn * dOut);
  for (let i = 0; i < dIn; i++) {
    for (let c = 0; c < count; c++) {
      const read = V[i * count + c]!;
      for (let o = 0; o < dOut; o++) sum[i * dOut + o]! += read * U[c * dOut + o]!;
    }
  }
  return { sum, delta: sum.map((x, i) => W[i]! - x) };
}

function norms(site: Site, count: number, V: Numbers, U: Numbers): number[] {
  return Array.from({ length: count }, (_, c) => {
    let [read, write] = [0, 0];
    for (let i = 0; i < site.dIn; i++) read += V[i * count + c]! ** 2;
    for (let o = 0; o < site.dOut; o++) write += U[c * site.dOut + o]! ** 2;
    return Math.sqrt(read * write);
  });
}

/** Who is alive, whom each belongs to, and the order to show them in. */
function arranged(site: Site, found: Values, norm: readonly number[]): Pick<SiteParts, "order" | "components"> {
  const [rows, count] = found.shape as [number, number];
  const alive = aliveComponents(found);
  const best = site.features && count >= rows ? identityOrder(found) : byTotal(found);
  const components = norm.map((own, c): PartInfo => {
    const column = Array.from({ length: rows }, (_, i) => found.data[i * count + c]!);
    const assigned = site.features ? best.indexOf(c) : rows;
    return {
      alive: alive[c]!,
      peak: Math.max(...column),
      norm: own,
      ...(assigned < rows && alive[c] && { feature: assigned }),
    };
  });
  const dead = best.filter((c) => !alive[c]).sort((a, b) => norm[b]! - norm[a]!);
  return { order: [...best.filter((c) => alive[c]), ...dead], components };
}
