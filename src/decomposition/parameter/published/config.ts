/**
 * The settings that the SPD repository's `final_config.yaml` and ours have in common (goodfire-ai/spd, February 2026, `Config`). What only one of
 * them has is left out, and at its default on the other side.
 */
import { z } from "zod";
import { MechanistError } from "../../../error.ts";
import type { Network } from "../../../network/network.ts";
import type { Slots } from "../importance/importance.ts";
import { modulePath } from "./layout.ts";
import type { ParameterSettings } from "../settings.ts";

/** Losses without settings of their own, by the repository's name. */
const LOSSES = {
  FaithfulnessLoss: "faithfulness",
  StochasticReconLoss: "stochasticRecon",
  StochasticReconLayerwiseLoss: "layerwiseRecon",
  StochasticReconSubsetLoss: "subsetRecon",
  CIMaskedReconLoss: "ciMaskedRecon",
  UnmaskedReconLoss: "unmaskedRecon",
} as const satisfies Readonly<Record<string, keyof ParameterSettings>>;

const IMPORTANCES = { gate: "mlp", "vector-mlp": "vector_mlp", "layerwise-mlp": "shared_mlp" } as const;

const loss = z.looseObject({ classname: z.string(), coeff: z.number().nullish() });

const config = z.looseObject({
  seed: z.int().min(0).default(0),
  n_mask_samples: z.int().min(1).default(1),
  ci_fn_type: z.enum(["mlp", "vector_mlp", "shared_mlp"]),
  ci_fn_hidden_dims: z.array(z.int().min(1)),
  sampling: z.enum(["continuous", "binomial"]).default("continuous"),
  sigmoid_type: z.literal("leaky_hard").default("leaky_hard"),
  use_delta_component: z.boolean().default(true),
  loss_metric_configs: z.array(loss).default([]),
  lr_schedule: z.looseObject({ start_val: z.number(), final_val_frac: z.number().default(0) }).optional(),
  steps: z.int().min(1),
  batch_size: z.int().min(1),
  faithfulness_warmup_steps: z.int().min(0).default(0),
  faithfulness_warmup_lr: z.number().gt(0).default(1e-3),
  faithfulness_warmup_weight_decay: z.number().min(0).default(0),
});

/** Settings as the repository's configuration has them. */
export function publishedConfig(
  network: Network,
  slots: readonly Slots[],
  settings: ParameterSettings,
): Readonly<Record<string, unknown>> {
  const type = IMPORTANCES[settings.importance as keyof typeof IMPORTANCES];
  if (type === undefined) {
    const wanted = Object.keys(IMPORTANCES).join(", ");
    throw new MechanistError("Refused", `importance: expected one of ${wanted} to export, got ${settings.importance}`);
  }
  const reconstructions = Object.entries(LOSSES).flatMap(([classname, name]) =>
    settings[name] > 0
      ? [
          {
            classname,
            coeff: settings[name],
            ...(classname === "StochasticReconSubsetLoss" && { routing: { type: "uniform_k_subset" } }),
          },
        ]
      : [],
  );
  return {
    seed: settings.seed,
    n_mask_samples: settings.samples,
    ci_fn_type: type,
    ci_fn_hidden_dims:
      settings.importance === "layerwise-mlp" ? settings.importanceHidden.split(",").map(Number) : [settings.gateWidth],
    sampling: settings.sampling === "binomial" ? "binomial" : "continuous",
    sigmoid_type: "leaky_hard",
    module_info: slots.map(({ site, C }) => ({ module_pattern: modulePath(network, site.name), C })),
    use_delta_component: settings.delta,
    loss_metric_configs: [
      {
        classname: "ImportanceMinimalityLoss",
        coeff: settings.importanceMinimality,
        pnorm: settings.pStart,
        beta: settings.frequencyMinimality,
        p_anneal_start_frac: 0,
        p_anneal_final_p: settings.pEnd,
        p_anneal_end_frac: 1,
        eps: settings.penaltyEpsilon,
      },
      ...reconstructions,
    ],
    output_loss_type: network.logits === undefined ? "mse" : "kl",
    lr_schedule: {
      start_val: settings.learningRate,
      fn_type: "cosine",
      warmup_pct: 0,
      final_val_frac: settings.finalLearningRate,
    },
    steps: settings.steps,
    batch_size: settings.batch,
    faithfulness_warmup_steps: settings.warmupSteps,
    faithfulness_warmup_lr: settings.warmupLearningRate,
    faithfulness_warmup_weight_decay: settings.warmupWeightDecay,
  };
}

/**
 * Ours, of such a configuration and of the slots that its components have.
 *
 * @param where names the file in an error
 * @throws `BadFile` for a value that is missing, or that nothing here corresponds to
 */
export function settingsOfPublished(
  content: unknown,
  slots: readonly Slots[],
  where: string,
): Readonly<Record<string, unknown>> {
  const parsed = config.safeParse(content);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new MechanistError(
      "BadFile",
      `${where}: ${issue.path.join(".") || "content"}: ${issue.message.toLowerCase()}`,
    );
  }
  const given = parsed.data;
  const [importance] = Object.entries(IMPORTANCES).find(([, type]) => type === given.ci_fn_type)!;
  const dims = given.ci_fn_hidden_dims;
  if (importance !== "layerwise-mlp" && dims.length !== 1) {
    const told = `expected one hidden width of ${given.ci_fn_type}, got ${dims.length}`;
    throw new MechanistError("BadFile", `${where}: ci_fn_hidden_dims: ${told}`);
  }
  const coefficients = Object.fromEntries(
    Object.entries(LOSSES).map(([classname, name]) => {
      const found = given.loss_metric_configs.find((one) => one.classname === classname);
      return [name, found?.coeff ?? 0];
    }),
  );
  const minimality = given.loss_metric_configs.find(({ classname }) => classname === "ImportanceMinimalityLoss");
  const number = (name: string): number | undefined =>
    typeof minimality?.[name] === "number" ? minimality[name] : undefined;
  const pStart = number("pnorm");
  return {
    sites: slots.map(({ site }) => site.name).join(","),
    components: Math.max(...slots.map(({ C }) => C)),
    componentsAt: slots.map(({ site, C }) => `${site.name}=${C}`).join(","),
    importance,
    ...(importance === "layerwise-mlp" ? { importanceHidden: dims.join(",") } : { gateWidth: dims[0] }),
    ...coefficients,
    importanceMinimality: minimality?.coeff ?? 0,
    ...(pStart !== undefined && { pStart, pEnd: number("p_anneal_final_p") ?? pStart }),
    ...(number("beta") !== undefined && { frequencyMinimality: number("beta") }),
    ...(number("eps") !== undefined && { penaltyEpsilon: number("eps") }),
    samples: given.n_mask_samples,
    sampling: given.sampling === "binomial" ? "binomial" : "uniform",
    delta: given.use_delta_component,
    ...(given.lr_schedule && {
      learningRate: given.lr_schedule.start_val,
      finalLearningRate: given.lr_schedule.final_val_frac,
    }),
    steps: given.steps,
    batch: given.batch_size,
    warmupSteps: given.faithfulness_warmup_steps,
    warmupLearningRate: given.faithfulness_warmup_lr,
    warmupWeightDecay: given.faithfulness_warmup_weight_decay,
    seed: given.seed,
  };
}
