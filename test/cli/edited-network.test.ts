/** An edited network that came from a Hugging Face folder goes back into one, under the names and in the layouts it had there. */
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { trainedWeights } from "../../src/cli/decompose.ts";
import { trainDocumentOf } from "../../src/cli/documents.ts";
import { decompose, type DecomposeDocument } from "../../src/decomposition/methods.ts";
import { parameterSettings } from "../../src/decomposition/parameter/settings.ts";
import type { NamedValues } from "../../src/engine/index.ts";
import { openHuggingFace } from "../../src/network/huggingface/node-folder.ts";
import { environment } from "../../src/run/environment.ts";
import { RunFolder } from "../../src/run/folder.ts";
import { weightsIn } from "../../src/training/optimise.ts";
import { command, documentOf, emptyFolder } from "./command.ts";

const GOLDEN = join(import.meta.dirname, "../golden/networks");
const SITES = ["blocks.0.attn.W_Q", "blocks.1.mlp.W_out"];

/** A folder as the hub has them: the reference's random GPT-2, its queries, keys and values in one tensor, with a tokenizer of letters. */
function gpt2(dir: string): string {
  const folder = join(dir, "tiny-gpt2");
  cpSync(join(GOLDEN, "gpt2"), folder, { recursive: true });
  rmSync(join(folder, "expected.safetensors"));
  const vocab = Object.fromEntries(["<unk>", ..."abcdef "].map((token, id) => [token, id]));
  const tokenizer = {
    version: "1.0",
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: "Split", pattern: { Regex: "" }, behavior: "Isolated", invert: false },
    post_processor: null,
    decoder: { type: "Fuse" },
    model: { type: "WordLevel", vocab, unk_token: "<unk>" },
  };
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  return folder;
}

/** An imported network taken apart for a few steps, without the command line's verdict at the end. */
async function takenApart(net: string, path: string): Promise<NamedValues> {
  const source = await RunFolder.open(net);
  const [target, weights] = [await trainDocumentOf(source), await trainedWeights(source)];
  const settings = parameterSettings.parse({
    components: 5,
    batch: 4,
    steps: 2,
    warmupSteps: 2,
    learningRate: 1e-3,
    importanceMinimality: 1e-3,
    pStart: 1,
    pEnd: 1,
    sites: SITES.join(),
  });
  const document: DecomposeDocument = { method: "spd", preset: "default", settings, target };
  const made = { kind: "decompose" as const, document, environment: environment("cpu", 1) };
  const run = await RunFolder.create(path, made, weights);
  await decompose(document, weights, {
    device: "cpu",
    threads: 1,
    onCheckpoint: (checkpoint) => run.checkpoints.save(checkpoint),
  });
  await run.update({ status: "finished", result: {} });
  return weightsIn((await run.checkpoints.latest(() => undefined)).tensors);
}

/** `W + factor · V_c U_c`. */
function changed(W: ArrayLike<number>, parts: NamedValues, site: string, c: number, factor: number): Float64Array {
  const [V, U] = [parts[`${site}.V`]!, parts[`${site}.U`]!];
  const [C, dOut] = U.shape as [number, number];
  return Float64Array.from({ length: W.length }, (_, i) => {
    const [row, column] = [Math.floor(i / dOut), i % dOut];
    return W[i]! + factor * V.data[row * C + c]! * U.data[c * dOut + column]!;
  });
}

test("GPT-2, edited, opens as GPT-2: what was edited is, and all else is the same to the bit", async () => {
  const dir = emptyFolder();
  const folder = gpt2(dir);
  writeFileSync(join(dir, "text.txt"), "a bad cab fed a deaf bee ".repeat(20));
  const imported = ["import", "tiny-gpt2", "--text", "text.txt", "--context", "8", "--windows", "9", "--out", "net"];
  expect((await command(dir, ...imported)).stderr).toBe("");
  const parts = await takenApart(join(dir, "net"), join(dir, "parts"));

  const edit = ["edit", "parts", "--ablate", `${SITES[0]}:2`, "--scale", `${SITES[1]}:1=3`, "--positions", "16"];
  const ended = await command(dir, ...edit, "--out", "edited", "--json");
  expect([ended.status, ended.stderr]).toEqual([0, ""]);
  expect(documentOf(ended)).toMatchObject({ out: join(dir, "edited"), format: "huggingface" });
  const names = ["config.json", "mechanist.json", "model.safetensors", "tokenizer.json"];
  expect(readdirSync(join(dir, "edited")).sort()).toEqual(names);
  expect(JSON.parse(readFileSync(join(dir, "edited", "mechanist.json"), "utf8"))).toMatchObject({
    kind: "edited",
    of: { name: "parts" },
    edits: [{ by: 0 }, { by: 3 }],
  });
  const [before, after] = [await openHuggingFace(folder), await openHuggingFace(join(dir, "edited"))];
  for (const [name, { data }] of Object.entries(before.weights)) {
    const at = SITES.indexOf(name);
    if (at < 0) {
      expect(after.weights[name]!.data, name).toEqual(data);
      continue;
    }
    const wanted = changed(data, parts, name, [2, 1][at]!, [-1, 2][at]!);
    after.weights[name]!.data.forEach((x, i) => expect(x).toBeCloseTo(wanted[i]!, 6));
    expect(after.weights[name]!.data.some((x, i) => Math.abs(x - data[i]!) > 1e-4)).toBe(true);
  }

  // Moved, the folder is not found, and has to be shown; another network's weights are no place to write into.
  renameSync(folder, join(dir, "moved"));
  const own = await command(dir, ...edit, "--out", "own", "--json");
  expect([own.status, own.stderr]).toEqual([0, expect.stringContaining("--network says where its folder is")]);
  expect(documentOf(own).format).toBe("mechanist");
  const shown = documentOf(await command(dir, ...edit, "--out", "again", "--network", "moved", "--json"));
  expect(shown.format).toBe("huggingface");
  expect(readFileSync(join(dir, "again", "model.safetensors"))).toEqual(
    readFileSync(join(dir, "edited", "model.safetensors")),
  );
  const wrong: readonly (readonly [readonly string[], number, string])[] = [
    [["--out", "no", "--network", "edited"], 3, `expected the weights of tiny-gpt2, got others in ${SITES[0]}`],
    [["--out", "no", "--network", "nowhere"], 3, "nowhere: expected a folder"],
    [["--out", "moved", "--network", "moved"], 2, "moved: expected a new or empty folder, got one with files in it"],
    [["--out", "again"], 2, "again: expected a new or empty folder, got one with files in it"],
    [["--network", "moved"], 2, "--network: expected --out with it, got none"],
  ];
  for (const [args, code, message] of wrong) {
    const { status, stderr } = await command(dir, ...edit, ...args);
    expect([args, status, stderr.trim().split("\n").length]).toEqual([args, code, 1]);
    expect(stderr).toContain(message);
  }
  expect(readdirSync(join(dir, "again")).sort()).toEqual(names);
});
