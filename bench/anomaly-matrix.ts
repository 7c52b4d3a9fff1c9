/**
 * `node scripts/run.js bench/anomaly-matrix.ts [network…] [--methods a,b] [--seeds n] [--from s] [--table]`: every anomaly of dictionary learning for
 * every family, on networks whose features are known and where it is expected of dictionaries, with controls where it is not. One network for each name, taken
 * apart by each method with several seeds; all are measured alike. What is measured goes to `docs/results/anomaly-matrix.jsonl`, a line for each network,
 * method and seed, failed ones too; `--table` prints what is there.
 */
import { parseArgs } from "node:util";
import { isOfWeights } from "../src/decomposition/decomposition.ts";
import { methodNamed } from "../src/decomposition/methods.ts";
import type { NamedValues } from "../src/engine/index.ts";
import {
  anomalies,
  type AnomalyName,
  type AnomalyOptions,
  disagreement,
  isFound,
  observe,
  type Outcome,
  type Place,
} from "../src/evidence/anomalies/index.ts";
import { splitting } from "../src/evidence/anomalies/splitting.ts";
import { absorption } from "../src/evidence/anomalies/absorption.ts";
import { nearestComponents, SAME_DIRECTION } from "../src/evidence/anomalies/true-features.ts";
import { judgeMechanisms } from "../src/evidence/mechanisms.ts";
import { randomDirections } from "../src/instrument/random-directions.ts";
import { meanOfNumbers } from "../src/intervention/bootstrap.ts";
import { named } from "../src/settings.ts";
import { keyFromSeed } from "../src/tensor/index.ts";
import type { TrainDocument } from "../src/training/target.ts";
import { resolveTarget, train } from "../src/training/targets.ts";
import { NETWORKS, type NetworkOf, settingsFor } from "./anomaly-networks.ts";
import { alive, type Settings, type Subject, takenApart } from "./anomaly-subject.ts";
import { addRow, readRows } from "./rows.ts";
import { printTables } from "./anomaly-table.ts";

/** What was measured at one place, numbers of the details included. */
export type Measured =
  | { readonly missing: string }
  | {
      readonly value: number;
      readonly control: number | null;
      readonly present: boolean;
      readonly n: number;
      readonly details: Readonly<Record<string, number | string | boolean | null>>;
    };

/** How well the components of a place are the features that are known there. */
export interface Found {
  readonly features: number;
  /** Features with a component that acts and has their direction; and with one that acts when they are there and at no other time. */
  readonly directions: number;
  readonly activity: number | null;
  /** Mean over features of the largest cosine with a component that acts, and the same of as many random directions. */
  readonly mmcs: number;
  readonly mmcsByChance: number;
  /** Components that act in the direction of a feature, mean over features that have one. */
  readonly each: number | null;
}

export interface MatrixRow {
  readonly network: string;
  readonly method: string;
  readonly seed: number;
  /** What differs from the method's defaults. */
  readonly settings: Settings;
  readonly seconds: number;
  /** That it was measured on. */
  readonly rows: number;
  /** Why there is nothing else. */
  readonly failed?: string;
  readonly places: readonly {
    readonly name: string;
    readonly components: number;
    readonly alive: number;
    readonly found?: Found;
  }[];
  /** Of weights, on one-hot inputs. */
  readonly targetCiError?: number;
  readonly aliveOnProbe?: string;
  /** Cosine and ratio of lengths of what the nearest component writes for a feature and what the matrix does, means over features. */
  readonly mmcsOfParts?: number;
  readonly ml2r?: number;
  readonly measures: Readonly<Partial<Record<AnomalyName, Readonly<Record<string, Measured>>>>>;
}

const FILE = "docs/results/anomaly-matrix.jsonl";
const ROWS = 4096;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    methods: { type: "string" },
    seeds: { type: "string", default: "3" },
    from: { type: "string", default: "0" },
    table: { type: "boolean", default: false },
  },
});

/** Only what is a number, a word or a truth: lists of pairs are long. */
function shortened(outcome: Outcome): Measured {
  if (!isFound(outcome)) return outcome;
  const { value, control, present, n, details } = outcome;
  const short = Object.entries(details).filter(([, v]) => v === null || typeof v !== "object");
  return { value, control, present, n, details: Object.fromEntries(short) as Record<string, number> };
}

async function foundAt(place: Place, seed: number): Promise<Found | undefined> {
  if (place.truth === undefined || place.directions === undefined) return undefined;
  const random = randomDirections(keyFromSeed(seed), place.C, place.width).flatMap((u) => Array.from(u));
  const nearest = nearestComponents(place);
  const byChance = nearestComponents({ ...place, directions: Float32Array.from(random) });
  const mean = (of: typeof nearest): number => (of.length === 0 ? 0 : meanOfNumbers(of.map(({ cosine }) => cosine)));
  const three = await disagreement(place, seed);
  const split = splitting(place, undefined, seed);
  return {
    features: place.truth.count,
    directions: nearest.filter(({ cosine }) => cosine >= SAME_DIRECTION).length,
    activity: isFound(three) ? three.details.found.activity : null,
    mmcs: mean(nearest),
    mmcsByChance: mean(byChance),
    each: isFound(split) ? split.value : null,
  };
}

interface TrainedNetwork {
  readonly target: TrainDocument;
  readonly weights: NamedValues;
  /** The same before training; absent where there is no training. */
  readonly untrained?: NamedValues;
}

async function trained({ target, preset = "default", set = {}, untrained }: NetworkOf): Promise<TrainedNetwork> {
  const document = resolveTarget(target, { preset, set });
  const { weights } = await train(document, { threads: 1 });
  if (untrained === undefined) return { target: document, weights };
  const before = await train(resolveTarget(target, { preset, set: { ...set, ...untrained } }), { threads: 1 });
  return { target: document, weights, untrained: before.weights };
}

/** All seeds of a method on a network, a row each, unless the file has them. */
async function measure(name: string, network: NetworkOf, at: TrainedNetwork, method: string): Promise<void> {
  const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => Number(values.from) + i);
  const settings = settingsFor(method, network);
  const done = readRows<MatrixRow>(FILE).filter((row) => row.network === name && row.method === method && !row.failed);
  if (seeds.every((seed) => done.some((row) => row.seed === seed))) return;
  const why = network.without?.[method] ?? methodNamed(method).objection(at.target);
  const made: { seed: number; subject?: Subject; failed?: string; seconds: number }[] = [];
  for (const seed of seeds) {
    const began = performance.now();
    try {
      if (why !== undefined) throw new Error(why);
      const subject = await takenApart(at.target, at.weights, method, { ...settings, seed });
      made.push({ seed, subject, seconds: (performance.now() - began) / 1000 });
    } catch (error) {
      made.push({ seed, failed: (error as Error).message, seconds: 0 });
    }
  }
  for (const { seed, subject, failed, seconds } of made) {
    const base = { network: name, method, seed, settings, seconds, rows: ROWS };
    if (subject === undefined) {
      addRow(FILE, { ...base, failed, places: [], measures: {} });
      console.log(`${name}  ${method}  seed ${seed}  ${failed}`);
      continue;
    }
    const others = made.flatMap((other) => (other.seed !== seed && other.subject ? [other.subject.decomposition] : []));
    const row = { ...base, ...(await measured(network, at, subject, others)) };
    addRow(FILE, row);
    console.log(`${name}  ${method}  seed ${seed}  ${seconds.toFixed(1)} s  ${presentIn(row)}`);
  }
}

async function measured(
  network: NetworkOf,
  { target, weights, untrained }: TrainedNetwork,
  { decomposition, data, known, document }: Subject,
  seeds: AnomalyOptions["seeds"],
): Promise<Omit<MatrixRow, "network" | "method" | "seed" | "settings" | "seconds" | "rows">> {
  const { method, settings } = document;
  const again = (set: Settings, of: NamedValues): Promise<Subject> =>
    takenApart(target, of, method, { ...settingsFor(method, network), ...set, seed: settings.seed });
  const fewer =
    network.smaller === undefined ? {} : settingsFor(method, { ...network, units: network.smaller, tight: true });
  const options = { rows: ROWS, threads: 1, ...(known && { known }) };
  const { measures, places } = await anomalies(decomposition, data, {
    ...options,
    ...(seeds && { seeds }),
    ...(Object.keys(fewer).length > 0 && { smaller: (await again(fewer, weights)).decomposition }),
    ...(untrained && { random: await again({}, untrained) }),
  });
  const observed = await observe(decomposition, data, options);
  const found = await Promise.all(observed.places.map((place) => foundAt(place, settings.seed)));
  const probed =
    known?.patterns && isOfWeights(decomposition) ? judgeMechanisms(decomposition, known.patterns) : undefined;
  return {
    places: places.map(({ name, components }, i) => ({
      ...{ name, components, alive: alive(observed.places[i]!) },
      ...(found[i] && { found: found[i] }),
    })),
    ...(probed && {
      targetCiError: probed.targetCiError,
      ...(probed.mmcs !== undefined && { mmcsOfParts: probed.mmcs, ml2r: probed.ml2r! }),
      aliveOnProbe: `${probed.alive} of ${probed.expectedAlive}`,
    }),
    measures: Object.fromEntries(
      Object.entries(measures).map(([anomaly, { places: all }]) => [
        anomaly,
        Object.fromEntries(
          Object.entries(all).map(([name, outcome]) => {
            const place = observed.places.find((one) => one.name === name);
            const asked = anomaly === "absorption" && network.pairs !== undefined && place !== undefined;
            return [name, shortened(asked ? (absorption(place, [...network.pairs]) as Outcome) : outcome)];
          }),
        ),
      ]),
    ),
  };
}

function presentIn({ measures }: Pick<MatrixRow, "measures">): string {
  return Object.entries(measures)
    .flatMap(([anomaly, places]) =>
      Object.values(places).some((one) => "present" in one && one.present) ? [anomaly] : [],
    )
    .join(", ");
}

const asked = positionals.length > 0 ? positionals : Object.keys(NETWORKS);
if (!values.table) {
  for (const name of asked) {
    const network = named("network", name, NETWORKS);
    const at = await trained(network);
    for (const method of values.methods?.split(",") ?? network.methods) await measure(name, network, at, method);
  }
}
printTables(readRows<MatrixRow>(FILE), asked);
