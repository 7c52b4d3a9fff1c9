/** A loss over named weights made into a compiled training step: flat parameters, gradient, AdamW, metrics. */
import { compileSteps, type Device, type NamedValues, narrow, type Stepper, values } from "../engine/index.ts";
import { gradients, type Tensor, type Tensors } from "../tensor/index.ts";
import { adamW, adamWInputs, type AdamWOptions } from "./adamw.ts";
import { clipByGlobalNorm } from "./clip.ts";
import { type Layout, pack, packValues, unpack, unpackValues } from "./parameters.ts";

/** What is optimised, and how. */
export interface Optimisation {
  readonly layout: Layout;
  /** The loss and whatever else is to be reported, from the weights; the loss is the metric `loss`. */
  readonly objective: (weights: Tensors) => Readonly<Record<string, Tensor<"">>> & { readonly loss: Tensor<""> };
  /** Numbers to start from: weights by name and, when going on from a checkpoint, AdamW's running means. */
  readonly start: NamedValues;
  readonly adamW?: AdamWOptions;
  /** Clips the gradient's global norm; 0 or absent: never. */
  readonly clipNorm?: number;
  /** Inputs of the objective that stay the same for all steps. */
  readonly fixed?: NamedValues;
  /**
   * What becomes of some weights after the optimiser's step, by name: ones that are kept normalised, running means of what is reported.
   * The others stay as the step left them.
   */
  readonly after?: (weights: Tensors, metrics: Readonly<Record<string, Tensor<"">>>) => Tensors;
}

export interface OptimisationOptions {
  readonly device?: Device;
  readonly threads?: number;
  readonly stepsPerCall?: number;
  readonly profile?: string;
}

/** Compiles the step; each one wants the scalars of `adamWScalars`. */
export function compileOptimisation(what: Optimisation, options: OptimisationOptions = {}): Promise<Stepper> {
  const { layout, start, fixed = {} } = what;
  const state = adamWInputs(layout.size);
  const weights = unpack(layout, state.parameters);
  const names = layout.entries.map(({ name }) => name);
  // Before gradients are taken: what nobody reads then has none.
  const metrics = narrow(
    what.objective(weights),
    names.map((name) => weights[name]!),
  );
  const found = gradients(
    metrics.loss,
    names.map((name) => weights[name]!),
  );
  const raw = pack(layout, Object.fromEntries(names.map((name, i) => [name, found[i]!])));
  const gradient = what.clipNorm ? clipByGlobalNorm(raw, what.clipNorm) : raw;
  const next = adamW(state, gradient, what.adamW);
  const stepped = unpack(layout, next.parameters);
  const parameters =
    what.after === undefined ? next.parameters : pack(layout, { ...stepped, ...what.after(stepped, metrics) });
  const vector = (data: Float32Array): NamedValues[string] => values("parameter", [layout.size], data);
  return compileSteps(
    {
      state: {
        parameters: { now: state.parameters, next: parameters },
        "adamw.m": { now: state.m, next: next.m },
        "adamw.v": { now: state.v, next: next.v },
      },
      metrics,
      fixed: Object.keys(fixed),
    },
    {
      ...options,
      fixed,
      initial: {
        parameters: vector(packValues(layout, start)),
        "adamw.m": start["adamw.m"] ?? vector(new Float32Array(layout.size)),
        "adamw.v": start["adamw.v"] ?? vector(new Float32Array(layout.size)),
      },
    },
  );
}

/** The state of such a step by the names it is saved under: every weight, and AdamW's running means. */
export function savedState(layout: Layout): (state: NamedValues) => NamedValues {
  return (state) => ({
    ...unpackValues(layout, state.parameters!.data),
    "adamw.m": state["adamw.m"]!,
    "adamw.v": state["adamw.v"]!,
  });
}

/**
 * A saved state in which weights that are 0 are at rest: AdamW's running means for them are 0 as well, so that nothing but a gradient
 * moves them.
 */
export function withZerosAtRest(layout: Layout, saved: NamedValues): NamedValues {
  const weights = packValues(layout, saved);
  const atRest = (name: string): NamedValues => {
    const means = saved[name]!;
    return { [name]: { ...means, data: Float32Array.from(means.data, (x, i) => (weights[i] === 0 ? 0 : x)) } };
  };
  return { ...saved, ...atRest("adamw.m"), ...atRest("adamw.v") };
}

/** The weights alone, of a saved state. */
export function weightsOf(layout: Layout, saved: NamedValues): NamedValues {
  return Object.fromEntries(layout.entries.map(({ name }) => [name, saved[name]!]));
}
