/** Components go out in the layout of the SPD repository and come back as they were. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { readSafetensors, writeSafetensors } from "../../src/file/safetensors.ts";
import { command, documentOf, SMALL_SPD, SMALL_TRAINING } from "./command.ts";

let dir = "";
beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "mechanist-")));
  await command(dir, ...SMALL_TRAINING, "--preset", "tms-5-2-id", "--out", "net");
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const DOCUMENTED = new Set(
  [...readFileSync("docs/json.md", "utf8").matchAll(/`([\w.]+)`/g)].flatMap((m) => m[1]!.split(".")),
);
const MEASURED = [
  "mmcs",
  "ml2r",
  "targetCiError",
  "l0",
  "stochasticRecon",
  "ciMaskedRecon",
  "adversarialRecon",
  "faithfulness",
];

test.each([
  ["gate", ["layers.0.W", "layers.0.b", "layers.2.W", "layers.2.b"], [6, 1, 16]],
  ["vector-mlp", ["layers.0.W", "layers.0.b", "layers.2.W", "layers.2.b"], [6, 5, 16]],
  ["layerwise-mlp", ["layers.0.W", "layers.0.b", "layers.2.W", "layers.2.b"], [5, 256]],
])(
  "importances by %s: the same verdict on the way back",
  async (importance, layers, shape) => {
    const [parts, out, back] = [`parts-${importance}`, `out-${importance}`, `back-${importance}`];
    const set = ["--set", `importance=${importance}`, "--set", "componentsAt=identity=4"];
    const made = await command(dir, "decompose", "net", ...SMALL_SPD, ...set, "--out", parts, "--json");
    expect([made.status, made.stderr]).toEqual([0, ""]);
    const exported = await command(dir, "export", parts, "--out", out, "--json");
    expect([exported.status, exported.stderr]).toEqual([0, ""]);
    const document = documentOf(exported);
    expect(Object.keys(document).filter((field) => !DOCUMENTED.has(field))).toEqual([]);
    expect(document).toMatchObject({ command: "export", run: parts, step: 30, path: join(dir, out) });
    expect(readdirSync(join(dir, out)).sort()).toEqual(["final_config.yaml", "model_30.safetensors"]);
    expect(parse(readFileSync(join(dir, out, "final_config.yaml"), "utf8"))).toMatchObject({
      ci_fn_type: { gate: "mlp", "vector-mlp": "vector_mlp", "layerwise-mlp": "shared_mlp" }[importance],
      module_info: [
        { module_pattern: "linear1", C: 6 },
        { module_pattern: "hidden_layers.0", C: 4 },
        { module_pattern: "linear2", C: 6 },
      ],
      ...{ steps: 30, batch_size: 64, faithfulness_warmup_steps: 5, output_loss_type: "mse" },
    });
    const { tensors } = readSafetensors(readFileSync(join(dir, out, "model_30.safetensors")));
    const modules = ["hidden_layers-0", "linear1", "linear2"];
    expect(Object.keys(tensors).sort()).toEqual(
      [
        ...modules.flatMap((module) => layers.map((layer) => `_ci_fns.${module}.${layer}`)),
        ...modules.flatMap((module) => ["U", "V"].map((part) => `_components.${module}.${part}`)),
        ...["hidden_layers.0", "linear1", "linear2"].map((module) => `target_model.${module}.weight`),
      ].sort(),
    );
    expect(tensors["_ci_fns.linear1.layers.0.W"]!.shape).toEqual(shape);
    expect(tensors["_components.linear1.V"]!.shape).toEqual([5, 6]);
    expect(tensors["target_model.linear1.weight"]!.shape).toEqual([2, 5]);

    const imported = await command(dir, "decompose", "net", "--from", out, "--out", back, "--json");
    expect([imported.status, imported.stderr]).toEqual([0, ""]);
    const [before, after] = [documentOf(made), documentOf(imported)];
    for (const key of [...MEASURED, "sites"]) expect(after[key], key).toEqual(before[key]);
    expect(after).toMatchObject({ status: "finished", document: { preset: "imported", settings: { importance } } });
  },
  60_000,
);

test("what cannot be read is refused in one line", async () => {
  await command(dir, "decompose", "net", ...SMALL_SPD, "--out", "parts");
  await command(dir, "export", "parts", "--out", "good");
  const spoilt = (name: string, change: (folder: string) => void): string => {
    cpSync(join(dir, "good"), join(dir, name), { recursive: true });
    change(join(dir, name));
    return name;
  };
  const state = "model_30.safetensors";
  const edited =
    (change: (tensors: Record<string, ReturnType<typeof readSafetensors>["tensors"][string]>) => void) =>
    (folder: string): void => {
      const { tensors } = readSafetensors(readFileSync(join(folder, state)));
      const copy = { ...tensors };
      change(copy);
      writeFileSync(join(folder, state), writeSafetensors(copy));
    };
  const refusals: readonly (readonly [string, RegExp])[] = [
    ["nowhere", /^nowhere.final_config\.yaml: expected the settings of a decomposition, got none$/],
    [
      spoilt("pickle", (folder) => {
        rmSync(join(folder, state));
        writeFileSync(join(folder, "model_30.pth"), "PK");
      }),
      /^pickle.model_30\.pth: expected safetensors, got a pickle, which is not read here; in Python: import torch; .*weights_only=True.*"model_30\.safetensors"\)$/,
    ],
    [
      spoilt(
        "partial",
        edited((tensors) => delete tensors["_ci_fns.linear2.layers.2.b"]),
      ),
      /^components: expected _ci_fns\.linear2\.layers\.2\.b, got none$/,
    ],
    [
      spoilt(
        "other",
        edited((tensors) => {
          const W = tensors["target_model.linear1.weight"]!;
          tensors["target_model.linear1.weight"] = { ...W, data: W.data.map((x) => x + 1) as Float32Array };
        }),
      ),
      /model_30\.safetensors: target_model\.linear1\.weight: expected the network's own matrix, got another$/,
    ],
    [
      spoilt("odd", (folder) => writeFileSync(join(folder, "final_config.yaml"), "ci_fn_type: global_mlp\n")),
      /^odd.final_config\.yaml: ci_fn_type: /,
    ],
  ];
  for (const [name, message] of refusals) {
    const { status, stdout, stderr } = await command(dir, "decompose", "net", "--from", name, "--out", "new");
    expect(stderr.replace(/^mechanist: /, "").trimEnd()).toMatch(message);
    expect([status, stdout]).toEqual([3, ""]);
  }
  const twice = await command(dir, "export", "parts", "--out", "good");
  expect([twice.status, twice.stderr]).toEqual([
    2,
    "mechanist: good: expected a new or empty folder, got one with files in it\n",
  ]);
  for (const [more, message] of [
    [["--steps", "3"], "--from: expected neither --resume nor settings, which the folder has, got some"],
    [["--seeds", "2"], "--from: expected one decomposition, got a folder of many"],
  ] as const) {
    const { status, stderr } = await command(dir, "decompose", "net", "--from", "good", ...more, "--out", "new");
    expect([status, stderr]).toEqual([2, `mechanist: ${message}\n`]);
  }
  expect(readdirSync(dir)).not.toContain("new");
}, 60_000);
