/**
 * The evaluation adversary: the worst masks that sign-PGD finds, with one source for each component shared by the whole batch and all positions
 * (VPD, evaluation adversary). An upper bound on nothing, but much nearer the worst case than random masks. A wholly free adversary would
 * break every network with circuits in superposition, by aligning the noise of all that is inactive; that is why sources are shared and steps few.
 */
import { divergence } from "../decomposition/parameter/losses/reconstruction.ts";
import { maskFrom } from "../decomposition/parameter/masks/mask.ts";
import { compile, type Executable, itemOf, type NamedValues, values } from "../engine/index.ts";
import { foldIn, gradients, input, type Key, randomUniform, type Tensor } from "../tensor/index.ts";
import { columns, type DrawnBatch, type FreshData } from "./fresh-data.ts";

/** The step of an ascent, of sources in [0, 1]. */
const STEP_SIZE = 0.1;
/** Steps of the attack that every verdict has. */
export const ATTACK_STEPS = 20;
/** Steps of the ladder: a decomposition that is robust does not get worse from rung to rung. */
export const LADDER: readonly number[] = [20, 40, 80, 160, 320];

export interface Attack {
  /** After how many steps the damage is read, rising. */
  readonly steps: readonly number[];
  /** Whether the remainder has a source, too: one number a site, without importance. */
  readonly delta: boolean;
}

type Sources = Readonly<Record<string, Float32Array>>;

/**
 * Attacks every batch anew, from random sources.
 *
 * @returns the divergence after each of `steps`, mean over batches
 */
export async function adversarialDivergence(data: FreshData, attack: Attack): Promise<number[]> {
  const program = await compile(attackProgram(data, attack.delta), data.options);
  const totals = attack.steps.map(() => 0);
  try {
    for (let i = 0; i < data.batches; i++) {
      const found = await damage(data, program, await data.draw(i), attack);
      found.forEach((value, rung) => (totals[rung]! += value / data.batches));
    }
    return totals;
  } finally {
    await program.dispose();
  }
}

const deltaOf = (site: string): string => `${site}/delta`;

/** The divergence under shared sources, and how it changes with each. */
function attackProgram({ decomposition, given }: FreshData, delta: boolean): Record<string, Tensor> {
  const { network } = decomposition;
  const each = <T>(f: (g: Tensor<"C batch">, site: string) => T): Record<string, T> =>
    Object.fromEntries(Object.entries(given.importances).map(([site, g]) => [site, f(g, site)]));
  const sources = each((g, site) => input(`source/${site}`, "C", { C: columns(g).C }));
  const remainder = each((_, site) => input(`source/${deltaOf(site)}`, "", {}));
  const masks = each((g, site) => maskFrom(g, sources[site]!));
  const masked = decomposition.masked(given.x, masks, delta ? { remainder } : {});
  const error = divergence(network, masked, given.output);
  const wanted: [string, Tensor][] = Object.entries(sources);
  if (delta) wanted.push(...Object.entries(remainder).map(([site, r]): [string, Tensor] => [deltaOf(site), r]));
  const slopes = gradients(
    error,
    wanted.map(([, source]) => source),
  );
  return { error, ...Object.fromEntries(wanted.map(([name], i) => [`slope/${name}`, slopes[i]!])) };
}

/** Sign-PGD from random sources: each step moves every source by the step size in the direction that hurts. */
async function damage(
  { given, options }: FreshData,
  program: Executable<Record<string, Tensor>>,
  { feeds, key }: DrawnBatch,
  { steps, delta }: Attack,
): Promise<number[]> {
  let sources: Sources = firstSources(given.importances, delta, key);
  const read: number[] = [];
  for (let step = 0; ; step++) {
    options.signal?.throwIfAborted();
    const given = Object.entries(sources).map(([name, r]) => {
      const shape = name.endsWith("/delta") ? values("", [], r) : values("C", [r.length], r);
      return [`source/${name}`, shape] as const;
    });
    const found: NamedValues = await program.run({ ...feeds, ...Object.fromEntries(given) }, key);
    if (steps.includes(step)) read.push(itemOf(found.error!));
    if (read.length === steps.length) return read;
    sources = Object.fromEntries(
      Object.entries(sources).map(([name, r]) => {
        const slope = found[`slope/${name}`]!.data;
        return [name, r.map((value, c) => Math.min(1, Math.max(0, value + STEP_SIZE * Math.sign(slope[c]!))))];
      }),
    );
  }
}

function firstSources(importances: Readonly<Record<string, Tensor<"C batch">>>, delta: boolean, key: Key): Sources {
  const draw = (name: string, count: number): [string, Float32Array] => [
    name,
    randomUniform(foldIn(key, `source/${name}`), count),
  ];
  const sites = Object.entries(importances);
  return Object.fromEntries([
    ...sites.map(([site, g]) => draw(site, columns(g).C)),
    ...(delta ? sites.map(([site]) => draw(deltaOf(site), 1)) : []),
  ]);
}
