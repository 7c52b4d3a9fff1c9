import { describe, expect, test } from "vitest";
import { type NamedValues, type Values, values } from "../../../engine/values.ts";
import { memorySource, type SourceFolder } from "../../../file/bytes.ts";
import { writeNpz } from "../../../file/npz.ts";
import { writeSafetensors } from "../../../file/safetensors.ts";
import { readStored } from "./formats.ts";
import type { StoredDictionary } from "./stored.ts";

const [D, C] = [2, 3];
const filled = (axes: string, ...shape: number[]): Values =>
  values(
    axes,
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1),
  );

const TENSORS: NamedValues = {
  W_enc: filled("d_in C", D, C),
  b_enc: filled("C", C),
  W_dec: filled("C d_out", C, D),
  b_dec: filled("d_out", D),
};
const CFG = {
  architecture: "standard",
  d_in: D,
  d_sae: C,
  apply_b_dec_to_input: false,
  normalize_activations: "none",
  metadata: { sae_lens_version: "6.2.0", hook_name: "hook_hidden", model_name: "toy" },
};

type Content = Uint8Array | object | string;

function folder(files: Readonly<Record<string, Content>>, name = "sae"): SourceFolder {
  return {
    name,
    open: async (file) => {
      const content = files[file];
      if (content === undefined) return undefined;
      if (content instanceof Uint8Array) return memorySource(`${name}/${file}`, content);
      const text = typeof content === "string" ? content : JSON.stringify(content);
      return memorySource(`${name}/${file}`, new TextEncoder().encode(text));
    },
  };
}

const saeLens = (cfg: object, tensors: NamedValues = TENSORS, more: Readonly<Record<string, Content>> = {}) =>
  folder({ "cfg.json": cfg, "sae_weights.safetensors": writeSafetensors(tensors), ...more });

async function only(from: SourceFolder): Promise<StoredDictionary> {
  const { stored } = await readStored(from);
  if (stored.kind !== "dictionaries") throw new Error("expected dictionaries");
  return stored.dictionaries[0]!;
}

describe("what is done to activations is folded into the weights", () => {
  test("of SAELens: the decoder's bias, the factor of each latent", async () => {
    const plain = await only(saeLens(CFG));
    expect(plain.weights.b_enc!.data).toEqual(Float32Array.of(1, 2, 3));
    // b_dec = (1, 2), W_enc = ((1, 2, 3), (4, 5, 6)).
    const centred = await only(saeLens({ ...CFG, apply_b_dec_to_input: true }));
    expect(centred.weights.b_enc!.data).toEqual(Float32Array.of(1 - 9, 2 - 12, 3 - 15));
    const flat = { d_in: D, d_sae: C, hook_point: "hook_hidden", finetuning_scaling_factor: true };
    const tuned = await only(saeLens(flat, { ...TENSORS, scaling_factor: values("C", [C], [1, 2, 0.5]) }));
    expect(tuned.weights.W_dec!.data).toEqual(Float32Array.of(1, 2, 6, 8, 2.5, 3));
    expect(tuned).toMatchObject({ reads: "hook_hidden", code: "relu" });
    const untouched = await only(
      saeLens(
        { ...flat, finetuning_scaling_factor: false },
        { ...TENSORS, scaling_factor: values("C", [C], [1, 1, 1]) },
      ),
    );
    expect(untouched.weights.W_dec!.data).toEqual(TENSORS.W_dec!.data);
  });

  test("and where its scale was not kept, that is said", async () => {
    const lost = { ...CFG, normalize_activations: "expected_average_only_in" };
    expect((await only(saeLens(lost))).unscaled).toBe(true);
    const kept = await only(saeLens(lost, TENSORS, { "activation_scaler.json": { scaling_factor: 2 } }));
    expect(kept.unscaled).toBeUndefined();
    expect(kept.weights.W_enc!.data).toEqual(TENSORS.W_enc!.data.map((w) => 2 * w));
    expect(kept.weights.b_dec!.data).toEqual(TENSORS.b_dec!.data.map((b) => b / 2));
  });

  test("a threshold below 0 behind a ReLU is one of 0", async () => {
    const cfg = { ...CFG, architecture: "jumprelu" };
    const jumping = await only(saeLens(cfg, { ...TENSORS, threshold: values("C", [C], [-1, 0, 2]) }));
    expect(jumping.weights.threshold!.data).toEqual(Float32Array.of(0, 0, 2));
  });
});

/** Each with what it is told. */
const REFUSED: readonly (readonly [string, SourceFolder, string])[] = [
  ["no file at all", folder({}), "sae: expected a dictionary's file, one of sae_weights.safetensors"],
  [
    "a pickle",
    folder({ "ae.pt": "PK", "config.json": {} }),
    'sae/ae.pt: expected safetensors, got a pickle, which is not read here; in Python: import torch; from safetensors.torch import save_file; save_file({k: v.contiguous() for k, v in torch.load("ae.pt", map_location="cpu", weights_only=True).items()}, "ae.safetensors")',
  ],
  ["no settings", folder({ "sae_weights.safetensors": writeSafetensors(TENSORS) }), "sae: expected cfg.json, got none"],
  [
    "a width other than the tensors'",
    saeLens({ ...CFG, d_in: 5 }),
    "sae/sae_weights.safetensors: W_enc: expected d_in 5, as cfg.json has it, got 2",
  ],
  [
    "latents other than the tensors'",
    saeLens({ ...CFG, d_sae: 4 }),
    "sae/sae_weights.safetensors: W_enc: expected C 4, as cfg.json has it, got 3",
  ],
  [
    "tensors that contradict each other",
    saeLens({ ...CFG }, { ...TENSORS, b_enc: filled("C", 2) }),
    "sae/sae_weights.safetensors: b_enc: expected C 3, as cfg.json has it, got 2",
  ],
  ["a tensor too few", saeLens({ ...CFG, architecture: "jumprelu" }), "expected a tensor threshold, got none"],
  [
    "a tensor too many",
    saeLens(CFG, { ...TENSORS, threshold: filled("C", C) }),
    "sae/sae_weights.safetensors: expected the tensors of architecture standard (W_enc, W_dec, b_dec, b_enc), got threshold too",
  ],
  [
    "a number that is none",
    saeLens(CFG, { ...TENSORS, b_enc: values("C", [C], [1, Number.NaN, 3]) }),
    "sae/sae_weights.safetensors: b_enc: expected finite numbers, got NaN first at C 1",
  ],
  [
    "another normalisation",
    saeLens({ ...CFG, normalize_activations: "covariance_whitening" }),
    "sae/cfg.json: normalize_activations: expected one of none, expected_average_only_in, constant_norm_rescale, layer_norm, got",
  ],
  [
    "another architecture",
    saeLens({ ...CFG, architecture: "gate" }),
    "sae/cfg.json: architecture: expected gated, got gate",
  ],
  [
    "TopK without a k",
    saeLens({ ...CFG, architecture: "topk" }),
    "sae/cfg.json: k: expected a whole number for topk, got none",
  ],
  [
    "more latents kept than there are",
    saeLens({ ...CFG, architecture: "topk", k: 9 }),
    "sae/cfg.json: k: expected at most d_sae, 3, got 9",
  ],
  [
    "one head of many",
    saeLens({ ...CFG, metadata: { ...CFG.metadata, hook_head_index: 2 } }),
    "sae/cfg.json: hook_head_index: expected all heads at once, got head 2",
  ],
  [
    "heads at a point without any",
    saeLens({ ...CFG, reshape_activations: "hook_z" }),
    "sae/cfg.json: reshape_activations: expected none at hook_hidden, got hook_z",
  ],
  [
    "a factor that nobody is said to have trained",
    saeLens({ d_in: D, d_sae: C, hook_point: "hook_hidden" }, { ...TENSORS, scaling_factor: filled("C", C) }),
    "sae/sae_weights.safetensors: scaling_factor: expected 1 throughout, as finetuning_scaling_factor is false, got others",
  ],
  [
    "another activation",
    saeLens({ d_in: D, d_sae: C, activation_fn_str: "tanh-relu" }),
    "sae/cfg.json: activation_fn: expected relu or topk, got tanh-relu",
  ],
  [
    "an unknown class",
    folder({
      "config.json": { trainer: { dict_class: "AutoEncodr", activation_dim: D, dict_size: C } },
      "ae.safetensors": writeSafetensors({ bias: filled("d", D) }),
    }),
    "sae/config.json: dict_class: expected AutoEncoder, got AutoEncodr",
  ],
  [
    "a k that is two",
    folder({
      "config.json": { trainer: { dict_class: "AutoEncoderTopK", activation_dim: D, dict_size: C, k: 2 } },
      "ae.safetensors": writeSafetensors({
        "encoder.weight": filled("C d", C, D),
        "encoder.bias": filled("C", C),
        "decoder.weight": filled("d C", D, C),
        b_dec: filled("d", D),
        k: { axes: "", shape: [], dtype: "i32", data: Int32Array.of(3) },
      }),
    }),
    "sae/ae.safetensors: k: expected 2, as config.json has it, got 3",
  ],
  [
    "a width other than the path's",
    folder({ "params.npz": writeNpz({ ...TENSORS, threshold: filled("C", C) }) }, "layer_1/width_16k"),
    "layer_1/width_16k/params.npz: W_enc: expected C 16384, as",
  ],
  [
    "a skip connection that is said not to be there",
    folder({
      "config.json": { architecture: "jump_relu", affine_connection: false },
      "params.safetensors": writeSafetensors({ affine_skip_connection: filled("a b", D, D) }),
    }),
    "affine_skip_connection: expected none, as affine_connection is false, got one",
  ],
  [
    "latents of groups",
    folder({ "cfg.json": { d_in: D, num_latents: C, k: 1, activation: "groupmax" }, "sae.safetensors": "" }),
    "sae/cfg.json: activation: expected topk, got groupmax",
  ],
  [
    "latents below 0",
    folder({
      "config.yaml": "model_kind: transcoder_set\nfeature_input_hook: a\nfeature_output_hook: b\n",
      "layer_0.safetensors": writeSafetensors({
        ...TENSORS,
        W_enc: filled("C d", C, D),
        "activation_function.threshold": values("C", [C], [1, -0.5, 1]),
      }),
    }),
    "sae/layer_0.safetensors: threshold: expected at least 0, for latents below 0 are none here, got -0.5 at 1",
  ],
  [
    "a set that says it is a cross-layer transcoder",
    folder({
      "config.yaml": "model_kind: cross_layer_transcoder\nfeature_input_hook: a\nfeature_output_hook: b\n",
      "layer_0.safetensors": writeSafetensors(TENSORS),
    }),
    "sae/config.yaml: model_kind: expected transcoder_set, as the files are, got cross_layer_transcoder",
  ],
  [
    "layers that a decoder does not reach",
    folder({
      "config.yaml": "model_kind: cross_layer_transcoder\nfeature_input_hook: a\nfeature_output_hook: b\n",
      "W_enc_0.safetensors": writeSafetensors({
        W_enc_0: filled("C d", C, D),
        b_enc_0: filled("C", C),
        b_dec_0: filled("d", D),
      }),
      "W_dec_0.safetensors": writeSafetensors({ W_dec_0: filled("C l d", C, 2, D) }),
    }),
    "sae/W_dec_0.safetensors: W_dec_0: expected 1 layers from its own on, got 2",
  ],
  [
    "lengths of activations that were not kept",
    folder({
      "hyperparams.json": { d_model: D, d_sae: C, hook_point_in: "a", act_fn: "relu" },
      "final.safetensors": writeSafetensors({
        "encoder.weight": filled("C d", C, D),
        "encoder.bias": filled("C", C),
        "decoder.weight": filled("d C", D, C),
        "decoder.bias": filled("d", D),
      }),
    }),
    "sae/hyperparams.json: dataset_average_activation_norm: expected the mean lengths of activations, got none",
  ],
];

describe("is refused in one line:", () => {
  test.each(REFUSED)("%s", async (_, from, message) => {
    const error = await readStored(from).then(
      () => new Error("it was read"),
      (cause: unknown) => cause as Error,
    );
    expect(error.message).toContain(message);
    expect(error.message).not.toMatch(/\n/);
  });

  test("a pickle that was meant by its name", async () => {
    await expect(readStored(folder({}), "sae.pth")).rejects.toThrow(
      /^sae\/sae.pth: expected safetensors, got a pickle/,
    );
  });
});
