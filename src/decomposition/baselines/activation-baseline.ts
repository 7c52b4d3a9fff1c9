/** Baselines at hook points as entries in the table of methods: what sets one apart is where it acts, how it codes, and what is fitted. */
import { MechanistError } from "../../error.ts";
import type { NamedValues } from "../../engine/index.ts";
import { type Network, weightInputs, type WeightSpec } from "../../network/network.ts";
import type { SettingsSchema } from "../../settings.ts";
import { foldIn, type Key, keyFromSeed } from "../../tensor/index.ts";
import { targetNamed } from "../../training/targets.ts";
import { ActivationDecomposition } from "../activation/activation-decomposition.ts";
import type { Coder } from "../activation/coder.ts";
import { activationSource } from "../dictionary/method.ts";
import { type ActivationSource, type RowPoint, rowPoints } from "../dictionary/rows.ts";
import type { DecomposeDocument, Method } from "../methods.ts";
import { codeExplains } from "./explained-variance.ts";
import { Fitting } from "./fitting.ts";
import { type SampledRows, sampledRows } from "./sample.ts";

/** Settings that every one of them has. */
export interface BaselineSettings {
  readonly point: string;
  readonly seed: number;
  readonly samples?: number;
}

/** A code at a point, and the weights that it needs. */
export interface PlacedCode {
  readonly coder: Coder;
  readonly specs: readonly WeightSpec[];
}

/** What is found at one point. */
export interface Found {
  readonly components: NamedValues;
  /** Iterations that it took; 0 where there is nothing to iterate. */
  readonly steps: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** What a fit is given. */
export interface FitInput<S> {
  readonly point: RowPoint;
  readonly settings: S;
  /** Of what is drawn at this point. */
  readonly key: Key;
  readonly fitting: Fitting;
  readonly source: ActivationSource;
  /** The document it is for. */
  readonly document: DecomposeDocument;
}

export interface ActivationBaseline<S extends BaselineSettings> {
  readonly summary: string;
  readonly schema: SettingsSchema;
  /** Where it acts unless told. */
  usualPoints(network: Network): readonly string[];
  /** What a network must have, in a few words, for there to be a usual point. */
  readonly needs: string;
  /** What keeps it from a network that has one. */
  objection?(document: DecomposeDocument["target"]): string | undefined;
  /** Why settings do not fit a point, `expected X, got Y`. */
  complaint?(settings: S, point: RowPoint): string | undefined;
  place(settings: S, point: RowPoint, document: DecomposeDocument["target"]): PlacedCode;
  /** What is found, from rows of the point where `sampled` says that it needs them. */
  fit?(input: FitInput<S>, rows: SampledRows): Promise<Found>;
  /** Numbers that a fit holds for each row beside the row itself; absent, it needs no rows. */
  numbersPerRow?(settings: S, point: RowPoint): number;
}

const BYTES = 4;

/** A baseline as the table of methods has it. */
export function activationBaseline<S extends BaselineSettings>(name: string, baseline: ActivationBaseline<S>): Method {
  const settingsOf = (document: DecomposeDocument): S => document.settings as unknown as S;
  const networkOf = ({ target, settings }: DecomposeDocument["target"]): Network =>
    targetNamed(target).network(settings);
  const pointsOf = (document: DecomposeDocument): RowPoint[] => {
    const { target, settings } = document.target;
    const network = networkOf(document.target);
    const asked = settingsOf(document).point;
    const names = asked === "" ? baseline.usualPoints(network).join(",") : asked;
    return rowPoints(network, names, (size) => targetNamed(target).batch("data", settings, size));
  };
  const placed = (document: DecomposeDocument): PlacedCode[] =>
    pointsOf(document).map((point) => baseline.place(settingsOf(document), point, document.target));
  return {
    summary: baseline.summary,
    schema: baseline.schema,
    computed: true,
    objection: (target) =>
      baseline.usualPoints(networkOf(target)).length === 0 ? baseline.needs : baseline.objection?.(target),
    presets: () => ({ default: { summary: "at the usual points", source: "Mechanist", settings: {} } }),
    check: (document) => {
      for (const point of pointsOf(document)) {
        const complaint = baseline.complaint?.(settingsOf(document), point);
        if (complaint !== undefined) throw new MechanistError("BadArgument", `${name}: ${point.name}: ${complaint}`);
      }
      placed(document);
    },
    run: async (document, weights, options) => {
      const fitting = new Fitting(options);
      if (fitting.finished) return fitting.finished;
      if (baseline.fit === undefined) return fitting.done({}, 0, {});
      const settings = settingsOf(document);
      const points = pointsOf(document);
      const source = await activationSource(document.target, weights);
      const key = keyFromSeed(settings.seed);
      const rows = await rowsFor(points);
      const all = placed(document);
      const components: Record<string, NamedValues[string]> = {};
      const metrics: Record<string, number> = {};
      let steps = 0;
      for (const [i, point] of points.entries()) {
        const own = rows[point.name] ?? { data: new Float32Array(0), count: 0, width: point.width };
        const input = { point, settings, key: foldIn(key, point.name), fitting, source, document };
        const found = await baseline.fit(input, own);
        Object.assign(components, found.components);
        steps = Math.max(steps, found.steps);
        const { coder, specs } = all[i]!;
        const explained = own.count > 0 && {
          explainedVariance: await codeExplains(
            { coder, tensors: weightInputs(specs), values: found.components },
            own,
            fitting,
          ),
        };
        for (const [metric, value] of Object.entries({ ...found.metrics, ...explained })) {
          metrics[points.length === 1 ? metric : `${metric} ${point.name}`] = value;
        }
      }
      return fitting.done(components, steps, metrics);

      async function rowsFor(all: readonly RowPoint[]): Promise<Readonly<Record<string, SampledRows>>> {
        if (baseline.numbersPerRow === undefined || settings.samples === undefined) return {};
        const held = all.reduce((sum, { width }) => sum + width, 0);
        // Points are fitted one after another; what is written is held once more to say how much is explained.
        const most = Math.max(...all.map((p) => Math.max(p.width, baseline.numbersPerRow!(settings, p))));
        fitting.expectMemory(BYTES * settings.samples * (held + most));
        return sampledRows(source, all, settings.samples, foldIn(key, "sample"), fitting);
      }
    },
    open: (document, weights, components) => {
      const all = placed(document);
      const specs = all.flatMap((one) => one.specs);
      const coders = all.map(({ coder }) => coder);
      return new ActivationDecomposition(networkOf(document.target), weights, coders, specs, components);
    },
  };
}
