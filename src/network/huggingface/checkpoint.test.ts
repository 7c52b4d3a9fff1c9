/** What a folder may hold besides what the goldens have, and what is refused. */
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NamedValues, Values } from "../../engine/index.ts";
import { memorySource, type SourceFolder } from "../../file/bytes.ts";
import { readSafetensors, writeSafetensors } from "../../file/safetensors.ts";
import { type Checkpoint, describeNetwork, readCheckpoint } from "./checkpoint.ts";
import { openHuggingFace } from "./node-folder.ts";

const GOLDEN = join(import.meta.dirname, "../../../test/golden/networks");

type Config = Record<string, unknown>;
const configOf = (name: string): Config =>
  JSON.parse(readFileSync(join(GOLDEN, name, "config.json"), "utf8")) as Config;
const tensorsOf = (name: string): NamedValues =>
  readSafetensors(readFileSync(join(GOLDEN, name, "model.safetensors"))).tensors;

/** Opens what is in memory. */
function open(config: unknown, tensors: NamedValues): Promise<Checkpoint> {
  const files: Record<string, Uint8Array> = {
    "config.json": new TextEncoder().encode(JSON.stringify(config)),
    "model.safetensors": writeSafetensors(tensors),
  };
  const folder: SourceFolder = {
    name: "net",
    open: async (file) => (files[file] === undefined ? undefined : memorySource(`net/${file}`, files[file])),
  };
  return readCheckpoint(folder);
}

const renamed = (tensors: NamedValues, name: (old: string) => string): NamedValues =>
  Object.fromEntries(Object.entries(tensors).map(([old, x]) => [name(old), x]));
const zeros = (...shape: number[]): Values => ({
  axes: shape.map((_, i) => `axis${i}`).join(" "),
  shape,
  dtype: "f32",
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
});

describe("files as older versions wrote them", () => {
  test("GPT-2 without a prefix, with its masks, and with the head a second time", async () => {
    const tensors = tensorsOf("gpt2");
    const bare = renamed(tensors, (name) => name.replace("transformer.", ""));
    const old = { ...bare, "h.0.attn.bias": zeros(1, 1, 16, 16), "lm_head.weight": tensors["transformer.wte.weight"]! };
    const { architectures, ...config } = configOf("gpt2");
    expect((await open(config, old)).weights).toEqual((await open({ ...config, architectures }, tensors)).weights);
  });

  test("architectures decide where model_type is missing", () => {
    const { model_type, ...config } = configOf("gpt-neox");
    expect(model_type).toBe("gpt_neox");
    expect(describeNetwork(config).family).toBe("gpt_neox");
  });

  test("configs before transformers 5", () => {
    const { rope_parameters, ...llama } = configOf("llama");
    const { rope_theta, ...rope_scaling } = rope_parameters as Config;
    expect(describeNetwork({ ...llama, rope_theta, rope_scaling }).network.config).toEqual(
      describeNetwork(configOf("llama")).network.config,
    );
    const { rope_parameters: turning, ...neox } = configOf("gpt-neox");
    const { rope_theta: rotary_emb_base, partial_rotary_factor: rotary_pct } = turning as Config;
    expect(describeNetwork({ ...neox, rotary_emb_base, rotary_pct }).network.config).toEqual(
      describeNetwork(configOf("gpt-neox")).network.config,
    );
    const { layer_types, ...gemma } = configOf("gemma2");
    expect(layer_types).toEqual(["sliding_attention", "full_attention"]);
    expect(describeNetwork(gemma).network.config).toEqual(describeNetwork(configOf("gemma2")).network.config);
    const { layer_types: types, ...qwen } = configOf("qwen2");
    expect(types).toEqual(["full_attention", "sliding_attention"]);
    expect(describeNetwork({ ...qwen, use_sliding_window: true }).network.config).toEqual(
      describeNetwork(configOf("qwen2")).network.config,
    );
    // Gemma's first configs say gelu and mean its tanh form.
    expect(describeNetwork({ ...configOf("gemma"), hidden_act: "gelu" }).network.config.mlp?.activation).toBe(
      "geluTanh",
    );
  });
});

describe("a config that contradicts the tensors", () => {
  test.each([
    [
      { num_attention_heads: 2 },
      "tensor model.layers.0.self_attn.q_proj.weight: expected 16×16, as net/config.json says, got 32×16",
    ],
    [{ vocab_size: 38 }, "tensor model.embed_tokens.weight: expected 38×16, as net/config.json says, got 37×16"],
    [
      { num_hidden_layers: 3 },
      "tensor model.layers.2.input_layernorm.weight: expected 16, as net/config.json says, got none; the nearest is model.layers.0.input_layernorm.weight",
    ],
    [
      { num_hidden_layers: 1 },
      "tensor model.layers.1.input_layernorm.weight: expected no such tensor in the network of net/config.json, got one of 16",
    ],
    [
      { attention_bias: true },
      "tensor model.layers.0.self_attn.q_proj.bias: expected 32, as net/config.json says, got none; the nearest is model.layers.0.self_attn.q_proj.weight",
    ],
    [
      { tie_word_embeddings: true },
      "tensor lm_head.weight: expected the embedding's numbers, for tie_word_embeddings in net/config.json makes them one, got others",
    ],
  ])("%j", async (change, message) => {
    const shards = ["00001", "00002", "00003"].map(
      (n) => readSafetensors(readFileSync(join(GOLDEN, "llama", `model-${n}-of-00003.safetensors`))).tensors,
    );
    await expect(open({ ...configOf("llama"), ...change }, Object.assign({}, ...shards))).rejects.toThrow(message);
  });

  test("tensors of whole numbers", async () => {
    const wte = { ...zeros(37, 16), dtype: "i32", data: new Int32Array(37 * 16) } as const;
    await expect(open(configOf("gpt2"), { ...tensorsOf("gpt2"), "transformer.wte.weight": wte })).rejects.toThrow(
      "tensor transformer.wte.weight: expected floating-point numbers, got I32",
    );
  });
});

describe("a config that asks for something else", () => {
  test.each([
    [
      { model_type: "mixtral" },
      /model_type, which with architectures decides the family: expected one of gpt2, .*, got "mixtral"; the nearest is mistral/,
    ],
    [
      { model_type: null, architectures: ["GPT2ForCausalLM"] },
      /architectures, which with model_type decides .*nearest is GPTNeoForCausalLM/,
    ],
    [
      { architectures: ["LlamaForSequenceClassification"] },
      'config.json: architectures: expected LlamaForCausalLM or LlamaModel, for model_type is llama, got "LlamaForSequenceClassification"',
    ],
    [
      { hidden_act: "relu2" },
      'config.json: hidden_act: expected one of relu, gelu, gelu_python, gelu_new, gelu_fast, gelu_pytorch_tanh, gelu_python_tanh, silu, swish, got "relu2"',
    ],
    [{ hidden_size: -16 }, "config.json: hidden_size: expected a number from 1, got -16"],
    [{ hidden_size: 16.5 }, "config.json: hidden_size: expected a whole number, got 16.5"],
    [{ hidden_size: undefined }, "config.json: hidden_size: expected a number, got nothing"],
    [{ num_hidden_layers: 1e9 }, "config.json: num_hidden_layers: expected at most 10000, got 1000000000"],
    [
      { num_key_value_heads: 3 },
      "config.json: num_key_value_heads: expected a number that divides num_attention_heads, 4, got 3",
    ],
    [
      { head_dim: null, hidden_size: 18 },
      "config.json: hidden_size: expected a multiple of num_attention_heads, 4, got 18",
    ],
    [{ head_dim: 7 }, "config.json: head_dim: expected an even number of dimensions that turn, from 2, got 7"],
    [
      { partial_rotary_factor: 0.5 },
      "config.json: partial_rotary_factor: expected 1, or no such field, for its networks compute without it, got 0.5",
    ],
    [
      { quantization_config: { bits: 4 } },
      'config.json: quantization_config: expected no such field, for its networks compute without it, got {"bits":4}',
    ],
    [
      { sliding_window: 4 },
      "config.json: sliding_window: expected no such field, for its networks compute without it, got 4",
    ],
    [{ rms_norm_eps: 0 }, "config.json: rms_norm_eps: expected a number above 0, got 0"],
  ])("%j", (change, message) => {
    const config = { ...configOf("llama"), ...change };
    expect(() => describeNetwork(config)).toThrow(message);
    expect(() => describeNetwork(config)).toThrow(expect.objectContaining({ code: "BadFile" }));
  });

  test.each([
    ["gpt2", { add_cross_attention: true }, /add_cross_attention: expected false/],
    [
      "gpt-neo",
      { attention_types: [[["global"], 1e4]] },
      "attention_types: expected 2 layers, as num_layers says, got 10000",
    ],
    ["gpt-neo", { attention_types: [[["far"], 2]] }, /attention_types.0.0.0: expected one of global, local, got "far"/],
    ["mistral", { attention_bias: true }, /attention_bias: expected false/],
    ["qwen2", { layer_types: ["full_attention"] }, "layer_types: expected 2 types, as num_hidden_layers says, got 1"],
    [
      "qwen3",
      { layer_types: ["sliding_attention", "full_attention"] },
      "sliding_window: expected a number, for layer_types has sliding_attention",
    ],
    ["gemma2", { use_bidirectional_attention: true }, /use_bidirectional_attention: expected false/],
  ])("%s %j", (name, change, message) => {
    expect(() => describeNetwork({ ...configOf(name), ...change })).toThrow(message);
  });

  test("any config either describes a network or is refused as a bad file", () => {
    const names = ["gpt2", "gpt-neo", "gpt-neox", "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2"];
    const originals = names.map(configOf);
    const fields = [...new Set(originals.flatMap((config) => Object.keys(config)))];
    const odd = fc.oneof(
      fc.jsonValue(),
      fc.integer(),
      fc.double(),
      fc.constantFrom(0, -1, 2 ** 31, 2 ** 53, null, "", [], {}),
    );
    const change = fc.dictionary(fc.constantFrom(...fields, "rope_scaling"), odd, { maxKeys: 3 });
    fc.assert(
      fc.property(fc.constantFrom(...originals), change, (config, changes) => {
        try {
          const { network } = describeNetwork({ ...config, ...changes });
          expect(network.weights.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toMatchObject({ code: "BadFile" });
          expect((error as Error).message).not.toMatch(/\n/);
        }
      }),
      { seed: 1, numRuns: 2000 },
    );
  });
});

describe("folders", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "checkpoint-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("what is missing or no config is said in one line", async () => {
    await expect(openHuggingFace(join(folder, "none"))).rejects.toThrow(
      `${join(folder, "none")}: expected config.json, got none`,
    );
    await writeFile(join(folder, "config.json"), "[1]");
    await expect(openHuggingFace(folder)).rejects.toThrow("config.json: expected a table, got [1]");
    await writeFile(join(folder, "config.json"), JSON.stringify(configOf("gpt2")));
    await expect(openHuggingFace(folder)).rejects.toThrow(
      "expected model.safetensors or model.safetensors.index.json, got neither",
    );
  });
});
