/**
 * What is left of an answer when everything outside a circuit is treated in three ways (VPD, "adversarial pruning"), always told together:
 *
 * - CI-masked: it is removed. Circuits of a handful of nodes look complete here.
 * - stochastic: it is anything, at random.
 * - adversarial: what the base run found important and the circuit does not is moved by sign-PGD to where it hurts most; all else, the remainder
 *   of each site too, is random. A circuit that only looks complete falls here. The attack is finite: it bounds nothing.
 */
import type { NamedValues, Values } from "../engine/index.ts";
import {
  clamp,
  constant,
  foldIn,
  gradients,
  input,
  type Key,
  keyFromSeed,
  mul,
  randomUniform,
  sign,
  sub,
  sum,
  add,
  axisNames,
  broadcast,
  einsum,
  reshape,
  type Tensor,
} from "../tensor/index.ts";
import {
  fromRows,
  innerActivation,
  ownProduct,
  siteRows,
  subcomponentsOf,
} from "../decomposition/parameter/subcomponents.ts";
import { outcomeOf, type ReadTask } from "./objective.ts";
import { prepare, type WorkOptions } from "./program.ts";
import { componentCount, positionsOf, type RankOneDecomposition } from "./subject.ts";

/** What comes out under one treatment. */
export interface Outcome {
  /** From the network's own output: nats, or squared error. A mean over draws; of an attack the worst. */
  readonly divergence: number;
  /** Of the token asked for; `null` where none was. A mean over draws; of an attack the worst. */
  readonly probability: number | null;
}

export interface Regimes {
  readonly ciMasked: Outcome;
  readonly stochastic: Outcome & { readonly draws: number };
  readonly adversarial: Outcome & { readonly steps: number; readonly stepSize: number; readonly restarts: number };
}

/** A circuit on one input: how much of each node it keeps, and what the adversary may move. Both `C pos` by site, from 0 to 1. */
export interface Circuit {
  readonly kept: NamedValues;
  /** 1 where the base run found a component important. */
  readonly alive: NamedValues;
}

export interface RegimeOptions extends WorkOptions {
  readonly draws?: number;
  readonly attackSteps?: number;
  readonly attackStepSize?: number;
  readonly restarts?: number;
  readonly seed?: number;
}

const DEFAULTS = { draws: 32, attackSteps: 20, attackStepSize: 0.1, restarts: 4, seed: 0 } as const;

/** One input as a constant of a program, `batch` times. */
export function fixedInput(x: Values, batch: number): Tensor {
  const sizes = Object.fromEntries(axisNames(x.axes).map((axis, i) => [axis, i === 0 ? batch : x.shape[i]!]));
  const data = Array.from({ length: batch }, () => Array.from(x.data)).flat();
  return constant(x.axes, sizes as never, data, x.dtype) as Tensor;
}

/** Sources for each row, `C batch` by site; `delta`, `batch`, is how much of the remainder stays. */
export interface RowSources {
  readonly source: (site: string, C: number) => Tensor<"C batch">;
  readonly delta: (site: string) => Tensor<"batch">;
}

/**
 * The output with masks `m = g + (1 - g) r` and remainders `δ`, by the form that needs no remainder matrix: `((aV) ⊙ (m - δ)) U + δ (aW)`.
 *
 * @param kept g, `C pos` by site
 */
export function sourcedRun(
  subject: RankOneDecomposition,
  x: Tensor,
  kept: Readonly<Record<string, Tensor<"C pos">>>,
  { source, delta }: RowSources,
): Tensor {
  const { network, tensors, sites } = subject;
  const [batch, pos] = [x.shape[0]!, positionsOf(x)];
  return network.forward(tensors, x, {
    matmul: (site, activation, W) => {
      if (!sites.some(({ name }) => name === site.name)) return undefined;
      const rows = siteRows(activation);
      const parts = subcomponentsOf(tensors, site);
      const C = componentCount(subject, site.name);
      const all = broadcast(kept[site.name] as Tensor, "C batch pos", { C, batch, pos });
      const g = reshape(all, "C batch", { C, batch: batch * pos });
      const mask = add(g, mul(sub(1, g), source(site.name, C)));
      const rest = delta(site.name);
      const inner = mul(innerActivation(rows, parts), sub(mask, rest) as Tensor<"C batch">);
      const own = ownProduct(rows, W);
      return fromRows(add(einsum("C batch, C d_out -> batch d_out", inner, parts.U), mul(own, rest)), activation);
    },
  });
}

/** A step of the attack: sources of what may be moved go up the slope of the loss, and stay within 0 and 1. */
export function ascended(
  loss: Tensor<"">,
  sources: Readonly<Record<string, Tensor<"C batch">>>,
  movable: Readonly<Record<string, Tensor<"C batch">>>,
  stepSize: number,
): Record<string, Tensor<"C batch">> {
  const names = Object.keys(sources);
  const slopes = gradients(
    loss,
    names.map((name) => sources[name]!),
  );
  return Object.fromEntries(
    names.map((name, i) => {
      const step = mul(mul(sign(slopes[i]!), movable[name]!), stepSize);
      return [name, clamp(add(sources[name]!, step), 0, 1)];
    }),
  );
}

/** What the adversary may move: alive, and not wholly kept. `C pos` values as `C batch` rows. */
export function rowsOfNodes(nodes: Tensor, batch: number): Tensor<"C batch"> {
  const [C, pos] = nodes.shape as [number, number];
  return reshape(broadcast(nodes, "C batch pos", { C, batch, pos }), "C batch", { C, batch: batch * pos });
}

/** All three, always. */
export async function regimes(
  subject: RankOneDecomposition,
  x: Values,
  task: ReadTask,
  circuit: Circuit,
  options: RegimeOptions = {},
): Promise<Regimes> {
  const { draws, attackSteps, attackStepSize, restarts, seed } = { ...DEFAULTS, ...options };
  const key = foldIn(keyFromSeed(seed), "regimes");
  const few = Math.min(draws, 8);
  const [plain, attack] = [Math.ceil(draws / few), { steps: attackSteps, stepSize: attackStepSize, restarts }];
  const program = await prepare(sourceProgram(subject, x, task, few, false), options);
  try {
    const masked = await program.run(feedsOf(subject, circuit, few, "zero", key));
    const drawn: Outcome[] = [];
    for (let i = 0; i < plain; i++) {
      options.signal?.throwIfAborted();
      drawn.push(...outcomes(await program.run(feedsOf(subject, circuit, few, "random", foldIn(key, i)))));
    }
    const mean = (of: (outcome: Outcome) => number): number => drawn.reduce((a, b) => a + of(b), 0) / drawn.length;
    const adversarial = await attacked(subject, x, task, circuit, attack, foldIn(key, "attack"), options);
    return {
      ciMasked: outcomes(masked)[0]!,
      stochastic: {
        divergence: mean(({ divergence }) => divergence),
        probability: task.token === undefined ? null : mean(({ probability }) => probability!),
        draws: drawn.length,
      },
      adversarial: { ...adversarial, ...attack },
    };
  } finally {
    await program.dispose();
  }
}

/** Sign-PGD from several random starts; the worst loss that was met on the way of any. */
async function attacked(
  subject: RankOneDecomposition,
  x: Values,
  task: ReadTask,
  circuit: Circuit,
  { steps, stepSize, restarts }: { readonly steps: number; readonly stepSize: number; readonly restarts: number },
  key: Key,
  options: RegimeOptions,
): Promise<Outcome> {
  const program = await prepare(sourceProgram(subject, x, task, restarts, true), options);
  const positions = positionsOf(x);
  let feeds = feedsOf(subject, circuit, restarts, "random", key);
  let worst: { readonly loss: number; readonly outcome: Outcome } | undefined;
  try {
    for (let step = 0; step <= steps; step++) {
      options.signal?.throwIfAborted();
      const found: NamedValues = await program.run(feeds);
      outcomes(found).forEach((outcome, row) => {
        const loss = found.loss!.data[row]!;
        if (worst === undefined || loss > worst.loss) worst = { loss, outcome };
      });
      const moved = subject.sites.map(({ name }) => {
        const [source, slope] = [feeds[`source/${name}`]!, found[`slope/${name}`]!.data];
        const alive = circuit.alive[name]!.data;
        const rows = restarts * positions;
        const data = Float32Array.from(source.data, (r, i) => {
          const node = Math.floor(i / rows) * positions + (i % positions);
          return alive[node]! > 0 ? Math.min(1, Math.max(0, r + stepSize * Math.sign(slope[i]!))) : r;
        });
        return [`source/${name}`, { ...source, data }] as const;
      });
      feeds = { ...feeds, ...Object.fromEntries(moved) };
    }
  } finally {
    await program.dispose();
  }
  return worst!.outcome;
}

/** Outcomes for sources that are given, with the slope of the loss where it is wanted. */
function sourceProgram(
  subject: RankOneDecomposition,
  x: Values,
  task: ReadTask,
  batch: number,
  slopes: boolean,
): Readonly<Record<string, Tensor>> {
  const pos = positionsOf(x);
  const rows = batch * pos;
  const kept = Object.fromEntries(
    subject.sites.map(({ name }) => [name, input(`kept/${name}`, "C pos", { C: componentCount(subject, name), pos })]),
  );
  const sources = Object.fromEntries(
    subject.sites.map(({ name }) => [
      name,
      input(`source/${name}`, "C batch", { C: componentCount(subject, name), batch: rows }),
    ]),
  );
  const output = sourcedRun(subject, fixedInput(x, batch), kept, {
    source: (site) => sources[site]!,
    delta: (site) => input(`delta/${site}`, "batch", { batch: rows }),
  });
  const outcome = outcomeOf(subject, task, output);
  const names = Object.keys(sources);
  const found = slopes
    ? gradients(
        sum(outcome.loss),
        names.map((name) => sources[name]!),
      )
    : [];
  return {
    loss: outcome.loss,
    divergence: outcome.divergence,
    ...(outcome.probability && { probability: outcome.probability }),
    ...Object.fromEntries(found.map((slope, i) => [`slope/${names[i]}`, slope])),
  };
}

function feedsOf(
  subject: RankOneDecomposition,
  { kept }: Circuit,
  batch: number,
  how: "zero" | "random",
  key: Key,
): NamedValues {
  const draw = (name: string, count: number): Float32Array =>
    how === "zero" ? new Float32Array(count) : randomUniform(foldIn(key, name), count);
  const sites = subject.sites.map(({ name }) => {
    const [C, pos] = kept[name]!.shape as [number, number];
    const rows = batch * pos;
    return {
      [`kept/${name}`]: { ...kept[name]!, axes: "C pos" },
      [`source/${name}`]: { axes: "C batch", shape: [C, rows], dtype: "f32" as const, data: draw(name, C * rows) },
      [`delta/${name}`]: { axes: "batch", shape: [rows], dtype: "f32" as const, data: draw(`${name}/delta`, rows) },
    };
  });
  return Object.assign({}, subject.values, ...sites) as NamedValues;
}

function outcomes(found: NamedValues): Outcome[] {
  return Array.from(found.divergence!.data, (divergence, row) => ({
    divergence,
    probability: found.probability?.data[row] ?? null,
  }));
}
