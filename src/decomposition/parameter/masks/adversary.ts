/**
 * Adversaries: sources that are not drawn but chosen, so that masks hurt as much as they can (VPD, adversarial reconstruction; SPD
 * repository, PGD reconstruction).
 *
 * A fresh adversary starts anew in each step and climbs by the sign of the slope. A persistent one keeps its sources from step to step, while
 * the batches under them change: what it learns can only be what is wrong on any data. Either way only the sources climb: components and
 * importances are constants to them, and the sources are constants to the loss that trains components and importances.
 */
import {
  add,
  broadcast,
  cast,
  clamp,
  constant,
  div,
  equal,
  floor,
  foldIn,
  gradients,
  input,
  type Key,
  mul,
  randomUniform,
  sign,
  sizeOf,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  type Tensors,
  uniform,
} from "../../../tensor/index.ts";
import { type NamedValues, type StepProgram, values } from "../../../engine/index.ts";
import type { WeightSpec } from "../../../network/network.ts";
import type { Slots } from "../importance/importance.ts";
import type { Rows } from "./masked-product.ts";

/** Which rows share one source: none, the positions of an example, the examples at a position, or all; `pool`: see `PooledShape`. */
export type AdversaryScope = "row" | "example" | "position" | "all" | "pool";

/** How far a source reaches. */
export interface AdversaryShape {
  readonly scope: AdversaryScope;
  /** With `pool`, how many sources each example owns. In each step it draws one of them, which all of its positions share. */
  readonly particles: number;
  /** Whether the remainder has a source as well. */
  readonly remainder: boolean;
}

/** Names of a site's sources. */
const remainderOf = (site: string): string => `${site}.remainder`;

/** The sources by name, with the axes that are not shared. */
export function sourceSpecs(slots: readonly Slots[], rows: Rows, shape: AdversaryShape): WeightSpec[] {
  const own: Readonly<Record<AdversaryScope, Readonly<Record<string, number>>>> = {
    row: { example: rows.example, pos: rows.pos },
    example: { example: rows.example },
    position: { pos: rows.pos },
    all: {},
    pool: { particle: shape.particles, example: rows.example },
  };
  const axes = own[shape.scope];
  const spec = (name: string, sizes: Readonly<Record<string, number>>): WeightSpec => ({
    name,
    axes: Object.keys(sizes).join(" "),
    shape: Object.values(sizes),
  });
  return slots.flatMap(({ site, C }) => [
    spec(site.name, { C, ...axes }),
    ...(shape.remainder ? [spec(remainderOf(site.name), axes)] : []),
  ]);
}

/** A source as masks want it: any of `C`, `example`, `pos`. */
export interface Sources {
  readonly components: Readonly<Record<string, Tensor>>;
  readonly remainders: Readonly<Record<string, Tensor>>;
}

/** Sources by site, of sources by name. */
export function sourcesOf(named: Tensors, sites: readonly string[]): Sources {
  const pick = (nameOf: (site: string) => string): Record<string, Tensor> =>
    Object.fromEntries(sites.flatMap((site) => (named[nameOf(site)] ? [[site, named[nameOf(site)]!]] : [])));
  return { components: pick((site) => site), remainders: pick(remainderOf) };
}

/** What an adversary makes worse: the loss under sources. */
export type LossUnder = (sources: Tensors) => Tensor<"">;

/** How a fresh adversary climbs. */
export interface FreshAdversary {
  readonly steps: number;
  readonly stepSize: number;
  readonly start: "random" | "zeros" | "ones";
}

/** A fresh adversary's sources after its ascents, as constants: `r ← clamp(r + stepSize · sign(∂L/∂r), 0, 1)` (SPD repository). */
export function freshSources(
  name: string,
  specs: readonly WeightSpec[],
  { steps, stepSize, start }: FreshAdversary,
  loss: LossUnder,
): Tensors {
  const first = ({ name: source, axes, shape }: WeightSpec): Tensor => {
    const sizes = sizesByAxis(axes, shape);
    if (start === "random") return uniform(`${name}/${source}`, axes, sizes);
    return constant(axes, sizes, start === "ones" ? 1 : 0);
  };
  let sources: Record<string, Tensor> = Object.fromEntries(specs.map((spec) => [spec.name, stopGradient(first(spec))]));
  for (let step = 0; step < steps; step++) {
    const slopes = slopesOf(loss(sources), sources);
    sources = Object.fromEntries(
      Object.entries(sources).map(([source, r]) => [
        source,
        stopGradient(clamp(add(r, mul(sign(slopes[source]!), stepSize)), 0, 1)),
      ]),
    );
  }
  return sources;
}

function slopesOf(loss: Tensor<"">, sources: Tensors): Tensors {
  const names = Object.keys(sources);
  const found = gradients(
    loss,
    names.map((name) => sources[name]!),
  );
  return Object.fromEntries(names.map((name, i) => [name, found[i]!]));
}

/** How a persistent adversary climbs: Adam ascents, clamped to [0, 1] after each. */
export interface PersistentAdversary {
  /** Ascents a step before the one that uses the main loss's own slopes. */
  readonly warmUps: number;
  readonly beta1: number;
  readonly beta2: number;
}

const EPSILON = 1e-8;

/** What a persistent adversary carries from step to step: sources and Adam's running means, by source. */
export interface AdversaryState {
  readonly r: Tensors;
  readonly m: Tensors;
  readonly v: Tensors;
}

/** The state's names: `adversary.r/<source>` and so on. */
const stateName = (part: keyof AdversaryState, source: string): string => `adversary.${part}/${source}`;

/** The state as inputs of a program. */
function adversaryInputs(specs: readonly WeightSpec[]): AdversaryState {
  const part = (which: keyof AdversaryState): Tensors =>
    Object.fromEntries(
      specs.map(({ name, axes, shape }) => [name, input(stateName(which, name), axes, sizesByAxis(axes, shape))]),
    );
  return { r: part("r"), m: part("m"), v: part("v") };
}

/** The state before the first step: sources drawn from U(0, 1), nothing known of slopes. */
export function adversaryStart(specs: readonly WeightSpec[], key: Key): NamedValues {
  return Object.fromEntries(
    specs.flatMap(({ name, axes, shape }) => [
      [stateName("r", name), values(axes, shape, randomUniform(foldIn(key, name), sizeOf(shape)))],
      [stateName("m", name), values(axes, shape, new Float32Array(sizeOf(shape)))],
      [stateName("v", name), values(axes, shape, new Float32Array(sizeOf(shape)))],
    ]),
  );
}

/** The scalars that ascent number `ascent` of step `step` needs, both counted from 0. */
export function adversaryScalars(
  { warmUps, beta1, beta2 }: PersistentAdversary,
  step: number,
  learningRate: number,
): Record<string, number> {
  const ascents = warmUps + 1;
  return Object.fromEntries(
    Array.from({ length: ascents }, (_, ascent) => {
      const t = step * ascents + ascent + 1;
      return [
        [`adversary.stepSize/${ascent}`, learningRate / (1 - beta1 ** t)],
        [`adversary.inverseRootCorrection2/${ascent}`, 1 / Math.sqrt(1 - beta2 ** t)],
      ] as const;
    }).flat(),
  );
}

/**
 * The state after one Adam ascent.
 *
 * @param slopes of the loss with respect to each source; what a source does not touch in this step is left alone where `touched` is 0
 */
function ascend(
  { r, m, v }: AdversaryState,
  slopes: Tensors,
  ascent: number,
  { beta1, beta2 }: PersistentAdversary,
  touched?: Tensor,
): AdversaryState {
  const stepSize = input(`adversary.stepSize/${ascent}`, "", {});
  const correction = input(`adversary.inverseRootCorrection2/${ascent}`, "", {});
  const next = { r: {} as Record<string, Tensor>, m: {} as Record<string, Tensor>, v: {} as Record<string, Tensor> };
  for (const [name, slope] of Object.entries(slopes)) {
    const mean = add(mul(m[name]!, beta1), mul(slope, 1 - beta1)) as Tensor;
    const size = add(mul(v[name]!, beta2), mul(square(slope), 1 - beta2)) as Tensor;
    const change = div(mul(mean, stepSize), add(mul(sqrt(size), correction), EPSILON)) as Tensor;
    const moved = clamp(add(r[name]!, change) as Tensor, 0, 1);
    const choose = (after: Tensor, before: Tensor): Tensor =>
      stopGradient(
        touched === undefined ? after : (add(before, mul(touched, sub(after, before) as Tensor) as Tensor) as Tensor),
      );
    next.r[name] = choose(moved, r[name]!);
    next.m[name] = choose(mean, m[name]!);
    next.v[name] = choose(size, v[name]!);
  }
  return next;
}

/** Everything a persistent adversary does in one step. */
export interface PersistentStep {
  /** The sources that the main loss uses, after the warm-up ascents. */
  readonly sources: Tensors;
  /** The state's inputs and what becomes of them, given the slopes of the main loss with respect to `sources`. */
  next(slopes: Tensors): StepProgram["state"];
}

/**
 * The warm-up ascents of a step, and the last one.
 *
 * @param loss    what the warm-ups climb: all sites on components, coefficient 1
 * @param touched 0 and 1 in the shape of the sources, where only some take part in this step
 */
export function persistentStep(
  specs: readonly WeightSpec[],
  adversary: PersistentAdversary,
  loss: LossUnder,
  touched?: Tensor,
): PersistentStep {
  const before = adversaryInputs(specs);
  let state: AdversaryState = before;
  for (let ascent = 0; ascent < adversary.warmUps; ascent++)
    state = ascend(state, slopesOf(loss(state.r), state.r), ascent, adversary, touched);
  // With no warm-up these are inputs: leaves like the others, through which the main loss is differentiated.
  const sources = Object.fromEntries(Object.entries(state.r).map(([name, r]) => [name, stopGradient(r)]));
  return {
    sources,
    next: (slopes) => {
      const after = ascend({ ...state, r: sources }, slopes, adversary.warmUps, adversary, touched);
      const parts = (["r", "m", "v"] as const).flatMap((part) =>
        specs.map(
          ({ name }) => [stateName(part, name), { now: before[part][name]!, next: after[part][name]! }] as const,
        ),
      );
      return Object.fromEntries(parts);
    },
  };
}

/** For each example, which of its particles it draws in this step: 0 and 1, `particle example`. */
export function drawnParticles(name: string, { particles }: AdversaryShape, { example }: Rows): Tensor {
  const sizes = { particle: particles, example };
  const chosen = floor(mul(uniform(name, "example", { example }), particles));
  const index = constant(
    "particle",
    { particle: particles },
    Array.from({ length: particles }, (_, i) => i),
  );
  return cast(equal(broadcast(index, "particle example", sizes), chosen) as Tensor, "f32");
}

/** The drawn particle of each example: sources without their `particle` axis. */
export function drawn(sources: Tensors, touched: Tensor): Tensors {
  return Object.fromEntries(
    Object.entries(sources).map(([name, r]) => [name, sum(mul(r, touched) as Tensor, "particle") as Tensor]),
  );
}

function sizesByAxis(axes: string, shape: readonly number[]): Record<string, number> {
  return Object.fromEntries((axes === "" ? [] : axes.split(" ")).map((axis, i) => [axis, shape[i]!]));
}
