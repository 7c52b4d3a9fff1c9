/** One pass over a network's data: what fires where is counted as it streams by, in bounded memory. */
import type { Decomposition } from "../decomposition/decomposition.ts";
import { compile, type CompileOptions, expectFinite, type NamedValues } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { axisSize, foldIn, type Key, keyFromSeed, softmax, type Tensor } from "../tensor/index.ts";
import { MemorySpill, type Spill } from "./counts.ts";
import type { HarvestPlan, HarvestSource } from "./plan.ts";
import { type HarvestSettings, KEPT } from "./settings.ts";
import { restoreTally, savedTally } from "./state.ts";
import { stimuliOf } from "./stimuli.ts";
import { type BatchView, Tally } from "./tally.ts";

export interface PassOptions extends CompileOptions {
  readonly signal?: AbortSignal;
  /** Told of the positions counted after each batch. */
  readonly onProgress?: (counted: number) => void;
  /** Given everything needed to go on, about twice a minute and when the pass is cancelled. */
  readonly onCheckpoint?: (tensors: NamedValues) => Promise<void>;
  /** What an earlier `onCheckpoint` was given. */
  readonly resume?: NamedValues;
  /** Where tables go that are full; without it, memory. */
  readonly spills?: { readonly pairs: Spill; readonly tokens: Spill };
}

const SAVE_EVERY = 30_000; // ms

/** The key of everything that a harvest draws. */
export function harvestKey({ seed }: Pick<HarvestSettings, "seed">): Key {
  return foldIn(keyFromSeed(seed), "harvest");
}

/**
 * Counts.
 *
 * The same settings and plan give the same numbers, however often the pass is stopped and gone on with.
 *
 * @throws `Cancelled` after a last checkpoint when the signal aborts; `NotFinite`
 */
export async function harvest(
  decomposition: Decomposition,
  source: HarvestSource,
  settings: HarvestSettings,
  plan: HarvestPlan,
  options: PassOptions = {},
): Promise<Tally> {
  const key = harvestKey(settings);
  const tally = new Tally(
    { ...plan, threshold: settings.threshold, examples: settings.examples, background: KEPT.background, key },
    options.spills ?? { pairs: new MemorySpill(), tokens: new MemorySpill() },
  );
  if (options.resume !== undefined) restoreTally(tally, options.resume);
  const outputs = programOf(decomposition, source.batch(plan.batch), plan);
  const program = await compile(outputs, options);
  const feeds = { ...decomposition.values, ...source.tables };
  const dataKey = foldIn(key, "data");
  let saved = performance.now();
  try {
    while (tally.n < settings.positions) {
      if (options.signal?.aborted) {
        await options.onCheckpoint?.(savedTally(tally));
        throw new MechanistError("Cancelled", `harvest: stopped at position ${tally.n} of ${settings.positions}`, {
          position: tally.n,
        });
      }
      const found: NamedValues = await program.run(feeds, foldIn(dataKey, tally.streamed / plan.rows));
      const counted = tally.take(
        viewOf(decomposition, source, settings, plan, found, tally.streamed),
        settings.positions - tally.n,
      );
      if (counted === 0) {
        throw new MechanistError("BadArgument", `harvest: expected data, got ${plan.rows} positions of padding`);
      }
      options.onProgress?.(tally.n);
      if (options.onCheckpoint === undefined || performance.now() - saved < SAVE_EVERY) continue;
      await options.onCheckpoint(savedTally(tally));
      saved = performance.now();
    }
    return tally;
  } finally {
    await program.dispose();
  }
}

function programOf(decomposition: Decomposition, x: Tensor, { rows, outputs }: HarvestPlan): Record<string, Tensor> {
  const { network, sites, tensors } = decomposition;
  const importances = decomposition.activity(x);
  const activations = decomposition.activations?.(x);
  const program: Record<string, Tensor> = { x };
  for (const { name } of sites) {
    const importance = importances[name]!;
    const got = axisSize(importance, "batch");
    if (got !== rows) {
      throw new MechanistError(
        "BadArgument",
        `harvest: expected ${rows} rows at every site, got ${got} at ${name}; a decomposition of other sites can be harvested`,
        { site: name },
      );
    }
    program[`importance/${name}`] = importance;
    if (activations !== undefined) program[`activation/${name}`] = activations[name]!;
  }
  if (outputs > 0) program.probabilities = softmax(network.forward(tensors, x), network.logits! as never) as Tensor;
  return program;
}

function viewOf(
  decomposition: Decomposition,
  source: HarvestSource,
  settings: HarvestSettings,
  plan: HarvestPlan,
  found: NamedValues,
  start: number,
): BatchView {
  const { window } = settings;
  let first = 0;
  const sites = decomposition.sites.map(({ name }) => {
    const importance = found[`importance/${name}`]!;
    expectFinite(`harvest: importance at ${name}`, importance);
    const components = importance.shape[0]!;
    const activations = found[`activation/${name}`]?.data;
    const view = { first, components, importances: importance.data, ...(activations && { activations }) };
    first += components;
    return view;
  });
  const probabilities = found.probabilities?.data;
  return {
    start,
    stimuli: stimuliOf(found.x!, { rows: plan.rows, window, padding: source.tokens?.padding }),
    sites,
    ...(probabilities && { probabilities }),
  };
}
