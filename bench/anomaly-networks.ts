/** The networks of the matrix of methods and anomalies, and what a method is told on each: how many units, and how many act. */
import type { Settings } from "./anomaly-subject.ts";

export interface NetworkOf {
  readonly about: string;
  readonly target: string;
  readonly preset?: string;
  readonly set?: Settings;
  /** Units of methods that are told how many; 0: their default, which for parameter decomposition is a multiple of the features. */
  readonly units: number;
  /** Units that act on a row at most, for methods that are told: 95 rows in 100 have no more features. */
  readonly active: number;
  /** The width of the value that is taken apart: some methods have no more units. */
  readonly width: number;
  /** Whether parameter decompositions, too, have only so many. */
  readonly tight?: boolean;
  /** Features that are looked at as parent and child though they are none. */
  readonly pairs?: readonly (readonly [parent: number, child: number])[];
  /** Units of a smaller one, for splitting. */
  readonly smaller?: number;
  /** Settings of a target that was hardly trained, for the network with random weights. */
  readonly untrained?: Settings;
  readonly methods: readonly string[];
  /** Methods that were not run, and why. */
  readonly without?: Readonly<Record<string, string>>;
}

const DICTIONARIES = ["sae", "gated", "topk", "batchtopk", "jumprelu", "matryoshka"] as const;
const PARAMETERS = ["spd", "vpd", "apd", "l3d"] as const;
const BASELINES = ["svd", "pca", "ica", "nmf", "kmeans", "neurons", "random"] as const;
export const METHODS_ASKED: readonly string[] = [...PARAMETERS, ...DICTIONARIES, "transcoder", ...BASELINES];

const all = { target: "superposition", methods: METHODS_ASKED };
const slow = { without: { vpd: "not run: time" } };
const slower = { without: { ...slow.without, apd: "not run: time" } };

export const NETWORKS: Readonly<Record<string, NetworkOf>> = {
  shrinkage: { ...all, about: "one feature that is 1 or 0", preset: "shrinkage", units: 1, active: 1, width: 4 },
  absorption: {
    ...all,
    about: "a parent, its child, two others",
    preset: "absorption",
    units: 4,
    active: 2,
    width: 50,
  },
  "absorption, control": {
    ...{
      ...all,
      ...slower,
      about: "the same, the child on its own",
      preset: "absorption",
      units: 4,
      active: 2,
      width: 50,
    },
    set: { structure: "pairs", correlation: 0, families: 1 },
    pairs: [[0, 1]],
  },
  hedging: {
    ...{
      ...all,
      ...slower,
      about: "two correlated features, one unit",
      preset: "hedging",
      units: 1,
      active: 1,
      width: 50,
    },
    tight: true,
  },
  "hedging, 2 units": {
    ...{ ...all, ...slower, about: "two correlated features", preset: "hedging", units: 2, active: 2, width: 50 },
  },
  "hedging, control": {
    ...{
      ...all,
      ...slower,
      about: "two features, not correlated, one unit",
      preset: "hedging",
      units: 1,
      active: 1,
      width: 50,
    },
    ...{ set: { correlation: 0 }, tight: true },
  },
  animals: { ...all, about: "legs and tail, three animals", preset: "animals", units: 3, active: 2, width: 8 },
  "animals, control": {
    ...{ ...all, about: "the same, four animals", preset: "animals", units: 2, active: 2, width: 8 },
    set: { animals: 4 },
  },
  splitting: {
    ...{
      ...all,
      ...slower,
      about: "8 families of 8 near directions",
      preset: "splitting",
      units: 64,
      active: 2,
      width: 64,
    },
    smaller: 8,
  },
  circles: { ...all, ...slower, about: "8 circles", preset: "circles", units: 64, active: 4, width: 32 },
  default: { ...all, ...slow, about: "64 features in 32 dimensions", units: 64, active: 6, width: 32 },
  layers: {
    ...{ about: "residual MLP of two layers, 20 features, 5 neurons each, trained", target: "resid-mlp" },
    ...{ preset: "quick", set: { layers: 2, neurons: 5 }, units: 20, active: 3, width: 200 },
    untrained: { steps: 1 },
    methods: ["spd", "sae", "topk", "transcoder", "svd", "neurons", "random"],
  },
  tms: {
    ...{ about: "toy model of superposition, 5-2, trained", target: "tms", methods: METHODS_ASKED },
    ...{ units: 5, active: 1, width: 2, untrained: { steps: 1, attempts: 1 } },
  },
};

/** What a method is told: what is not here is its default. */
export function settingsFor(method: string, { units, active, width, tight }: NetworkOf): Settings {
  const sparse = { k: Math.min(active, units) };
  switch (method) {
    case "topk":
    case "batchtopk":
    case "matryoshka":
      return { C: units, ...sparse };
    case "sae":
    case "gated":
    case "jumprelu":
    case "transcoder":
      return { C: units };
    case "pca":
    case "ica":
    case "svd":
      return { count: Math.min(units, width) };
    case "nmf":
    case "kmeans":
    case "random":
      return { count: units };
    case "spd":
    case "vpd":
    case "apd":
      return tight ? { components: units } : {};
    case "l3d":
      return tight ? { subnetworks: units } : {};
    default:
      return {};
  }
}
