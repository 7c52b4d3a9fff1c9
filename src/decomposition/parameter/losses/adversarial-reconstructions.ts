/**
 * Reconstructions under masks that an adversary chooses (VPD, adversarial reconstruction; param-decomp SPEC, S10', S14', S24, S34). What the
 * sources climb has the coefficient 1 whatever the loss gives it, and warm-up ascents have all sites on components.
 */
import { type Tensor, add, cast, gradients, less, mul, sub, uniform } from "../../../tensor/index.ts";
import type { StepObjective } from "../../../training/optimise.ts";
import {
  type AdversaryShape,
  drawn,
  drawnParticles,
  freshSources,
  type LossUnder,
  persistentStep,
  sourcesOf,
  sourceSpecs,
} from "../masks/adversary.ts";
import type { Slots } from "../importance/importance.ts";
import { overRows, type Rows, type SiteMask, type SiteMasks } from "../masks/masked-product.ts";
import {
  drawnMasks,
  masked,
  type Masking,
  meanOf,
  routed,
  sourcedMasks,
  type Term,
  times,
} from "./masked-reconstructions.ts";
import type { ParameterSettings } from "../settings.ts";
import type { WeightSpec } from "../../../network/network.ts";
import type { Tensors } from "../../../tensor/index.ts";

/** Reconstructions with what they carry from step to step. */
export interface AdversarialPart extends Pick<StepObjective, "wrt" | "values" | "carried"> {
  readonly terms: readonly Term[];
}

/** Whether a persistent adversary takes part. */
export function isPersistent({ persistentRecon, mergedRecon }: ParameterSettings): boolean {
  return persistentRecon > 0 || mergedRecon > 0;
}

/** A persistent adversary's sources. */
export function persistentSpecs(slots: readonly Slots[], rows: Rows, settings: ParameterSettings): WeightSpec[] {
  return sourceSpecs(slots, rows, persistentShape(settings));
}

function persistentShape({ persistentScope, particles, delta }: ParameterSettings): AdversaryShape {
  return { scope: persistentScope, particles, remainder: delta };
}

/** The reconstruction under a fresh adversary. */
export function freshReconstruction(what: Masking, slots: readonly Slots[]): Term[] {
  const { settings, rows, network, stream } = what;
  if (settings.adversarialRecon === 0) return [];
  const { adversarySteps: steps, adversaryStepSize: stepSize, adversaryStart: start, adversaryScope: scope } = settings;
  const specs = sourceSpecs(slots, rows, { scope, particles: 1, remainder: settings.delta });
  const loss: LossUnder = (sources) => {
    const masks = masksUnder(what, sources);
    switch (settings.adversaryRouting) {
      case "all":
        return masked(what, masks);
      case "subset":
        // The name is the same in every ascent, and so are the routes.
        return masked(what, routed(what, `${stream}adversary`, masks));
      case "layerwise":
        return meanOf(network.sites.map(({ name }) => masked(what, { [name]: masks[name]! })));
    }
  };
  const sources = freshSources(`${stream}adversary`, specs, { steps, stepSize, start }, loss);
  return [{ name: "adversarialRecon", coefficient: settings.adversarialRecon, value: loss(sources) }];
}

/**
 * The reconstructions under a persistent adversary: by itself, or merged with random masks on subsets.
 *
 * @param scale what their coefficients are multiplied by at this step
 */
export function persistentReconstruction(
  what: Masking,
  slots: readonly Slots[],
  scale: number | Tensor<"">,
): AdversarialPart {
  const { settings, rows, stream } = what;
  if (!isPersistent(settings)) return { terms: [] };
  const specs = persistentSpecs(slots, rows, settings);
  const adversary = {
    warmUps: settings.persistentWarmUps,
    beta1: settings.persistentBeta1,
    beta2: settings.persistentBeta2,
  };
  const touched =
    settings.persistentScope === "pool"
      ? drawnParticles(`${stream}adversary/particle`, persistentShape(settings), rows)
      : undefined;
  const masks = (sources: Tensors): Record<string, SiteMask> =>
    masksUnder(what, touched === undefined ? sources : drawn(sources, touched));
  const step = persistentStep(specs, adversary, (sources) => masked(what, masks(sources)), touched);
  const attacked = masks(step.sources);
  const values = [
    ...(settings.persistentRecon > 0
      ? [{ name: "persistentRecon", weight: settings.persistentRecon, value: masked(what, attacked) }]
      : []),
    ...(settings.mergedRecon > 0
      ? [{ name: "mergedRecon", weight: settings.mergedRecon, value: masked(what, merged(what, attacked)) }]
      : []),
  ];
  const names = specs.map(({ name }) => name);
  const leaves = names.map((name) => step.sources[name]!);
  const named = (slopes: readonly Tensor[]): Tensors => Object.fromEntries(names.map((name, i) => [name, slopes[i]!]));
  const terms = values.map(({ name, weight, value }) => ({ name, value, coefficient: times(scale, weight) }));
  const [only] = values;
  // One backward pass serves both where the loss's slope is the adversary's but for a factor that is known and never 0.
  if (values.length === 1 && typeof scale === "number") {
    const unscaled = 1 / (scale * only!.weight);
    return {
      terms,
      wrt: leaves,
      carried: (slopes) => step.next(named(slopes.map((slope) => mul(slope, unscaled)))),
    };
  }
  const climbed = values.map(({ value }) => value).reduce((a, b) => add(a, b));
  return {
    terms,
    values: { climbed },
    // `leaves` stay the same nodes however the program is narrowed, if they are asked for.
    wrt: leaves,
    carried: (_, { climbed: loss }) => step.next(named(gradients(loss!, leaves))),
  };
}

function masksUnder(what: Masking, sources: Tensors): Record<string, SiteMask> {
  const { components, remainders } = sourcesOf(
    sources,
    what.network.sites.map(({ name }) => name),
  );
  return sourcedMasks(what, components, remainders);
}

/**
 * Each example is attacked, with all sites on components, or masked at random on a subset of sites: one run that stands for two (param-decomp
 * SPEC, S34).
 */
function merged(what: Masking, attacked: Readonly<Record<string, SiteMask>>): SiteMasks {
  const { settings, rows, stream, network } = what;
  const draw = uniform(`${stream}merged/attacked`, "example", { example: rows.example });
  const isAttacked = overRows(cast(less(draw, settings.adversarialFraction), "f32"), rows) as Tensor<"batch">;
  const others = sub(1, isAttacked) as Tensor<"batch">;
  const random = routed(what, `${stream}merged`, drawnMasks(what, `${stream}merged`, network.sites));
  const choose = (a: Tensor, b: Tensor): Tensor =>
    add(mul(a, isAttacked) as Tensor, mul(b, others) as Tensor) as Tensor;
  return Object.fromEntries(
    Object.entries(attacked).map(([site, { mask, remainder }]) => {
      const other = random[site]!;
      return [
        site,
        {
          mask: choose(mask, other.mask) as Tensor<"C batch">,
          ...(remainder && other.remainder && { remainder: choose(remainder, other.remainder) }),
          route: add(isAttacked, mul(other.route!, others)) as Tensor<"batch">,
        },
      ];
    }),
  );
}
