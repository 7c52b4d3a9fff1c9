/** Networks from elsewhere as runs: what comes in is what goes on, and what is wrong is said in one line. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bytePairTokenizer } from "../../src/data/byte-pair.ts";
import { readSafetensors } from "../../src/file/safetensors.ts";
import { openHuggingFace } from "../../src/network/huggingface/node-folder.ts";
import { RunnableNetwork, tokenValues } from "../../src/network/run.ts";
import { pretrainedTarget } from "../../src/training/targets/pretrained.ts";
import { command, documentOf, emptyFolder } from "./command.ts";

const GOLDEN = join(import.meta.dirname, "../golden/networks");
const TEXT = "a cab had a bad bag\nthe fed bee had a deaf cafe\n".repeat(40);
const LETTERS = [...new Set(TEXT)].sort();

/** A folder as the hub has them: the reference's random Llama with a tokenizer of letters, and a text. */
function llama(family = "llama"): { readonly dir: string; readonly folder: string; readonly text: string } {
  const dir = emptyFolder();
  const folder = join(dir, "tiny-llama");
  cpSync(join(GOLDEN, family), folder, { recursive: true });
  writeTokenizer(folder, LETTERS);
  writeFileSync(join(dir, "text.txt"), TEXT);
  return { dir, folder, text: join(dir, "text.txt") };
}

function writeTokenizer(folder: string, letters: readonly string[]): void {
  const vocab = Object.fromEntries(["<unk>", "<s>", ...letters].map((token, id) => [token, id]));
  const added = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const tokenizer = {
    version: "1.0",
    added_tokens: ["<unk>", "<s>"].map((content, id) => ({ id, content, ...added })),
    normalizer: null,
    pre_tokenizer: { type: "Split", pattern: { Regex: "" }, behavior: "Isolated", invert: false },
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [],
      special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
    },
    decoder: { type: "Fuse" },
    model: { type: "WordLevel", vocab, unk_token: "<unk>" },
  };
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ bos_token: "<s>", unk_token: "<unk>" }));
}

test("a Llama is imported, taken apart and judged", async () => {
  const { dir, folder, text } = llama();
  const imported = await command(
    dir,
    "import",
    folder,
    "--text",
    text,
    "--windows",
    "30",
    "--context",
    "4",
    "--threads",
    "1",
    "--json",
  );
  expect([imported.status, imported.stderr]).toEqual([0, ""]);
  const document = documentOf(imported);
  expect(document).toMatchObject({
    command: "import",
    run: "tiny-llama",
    kind: "train",
    status: "finished",
    cut: true,
  });
  const { settings } = document.document as { settings: Record<string, unknown> };
  expect(settings).toMatchObject({ family: "llama", windows: 30, context: 4, bos: "row", steps: 0, text: "text.txt" });
  // Untrained, it knows no more than nothing at all.
  expect(document.loss as number).toBeGreaterThan(2);

  // The run holds the network: its document and its one checkpoint say what the folder says.
  const run = join(dir, "runs", "tiny-llama");
  const { document: kept } = JSON.parse(readFileSync(join(run, "run.json"), "utf8")) as {
    document: { settings: never };
  };
  const { tensors } = readSafetensors(readFileSync(join(run, "checkpoints", "step-000000.safetensors")));
  const original = await openHuggingFace(folder);
  const tokens = tokenValues([[1, 2, 3, 4, 5, 6, 7]]);
  const outputs = await Promise.all(
    [
      { network: pretrainedTarget.network(kept.settings), weights: tensors },
      { network: original.network, weights: original.weights },
    ].map(async ({ network, weights }) => {
      const axes = Object.fromEntries(network.weights.map((spec) => [spec.name, { ...weights[spec.name]!, ...spec }]));
      const runnable = new RunnableNetwork(network, axes as never, { threads: 1 });
      const { output } = await runnable.run(tokens);
      await runnable.dispose();
      return output;
    }),
  );
  expect(outputs[0]!.data).toEqual(outputs[1]!.data);

  const decomposed = await command(
    dir,
    ...["decompose", "tiny-llama", "--steps", "4", "--threads", "1", "--json"],
    ...[
      "batch=4",
      "components=4",
      "warmupSteps=2",
      "pruneBelow=0",
      "pruneEvery=0",
      "pruneAt=1",
      "importanceDModel=8",
      "importanceDMlp=8",
      "sites=blocks.1.attn.W_K,blocks.1.mlp.W_gate",
    ].flatMap((one) => ["--set", one]),
  );
  expect([decomposed.status, decomposed.stderr]).toEqual([0, ""]);
  const verdict = documentOf(decomposed);
  expect(Object.keys(verdict.sites)).toEqual(["blocks.1.attn.W_K", "blocks.1.mlp.W_gate"]);
  expect(verdict.crossEntropy).toEqual(expect.any(Number));
  expect(verdict.gate).toBeDefined();
});

test("JSON lines with ids, all of them", async () => {
  const { dir, folder } = llama();
  const lines = Array.from({ length: 12 }, (_, i) => JSON.stringify({ ids: [2, 3, 4, 5 + (i % 3), 6] }));
  writeFileSync(join(dir, "ids.jsonl"), `${lines.join("\n")}\n`);
  const options = ["--text", join(dir, "ids.jsonl"), "--field", "ids", "--context", "8", "--json"];
  const { status, stderr, stdout } = await command(dir, "import", folder, ...options, "--out", join(dir, "own"));
  expect([status, stderr]).toEqual([0, ""]);
  // 60 ids, and each window begins with the token for beginnings.
  const { document, cut } = JSON.parse(stdout) as { document: { settings: { rows: string } }; cut: boolean };
  expect(cut).toBe(false);
  expect(document.settings.rows.split("\n")).toHaveLength(8);
  expect(document.settings.rows.split("\n")[0]).toBe("1 2 3 4 5 6 2 3");
});

test("what is wrong is one line", async () => {
  const { dir, folder, text } = llama();
  const refused = async (code: number, message: RegExp, ...args: string[]): Promise<void> => {
    const { status, stderr } = await command(dir, "import", ...args);
    expect(stderr).toMatch(message);
    expect([status, stderr.trimEnd().split("\n").length]).toEqual([code, 1]);
  };
  const bare = join(dir, "bare");
  cpSync(join(GOLDEN, "llama"), bare, { recursive: true });
  await refused(3, /bare: expected tokenizer\.json, to make tokens of a text, got none/, bare, "--text", text);
  const short = join(dir, "short.txt");
  writeFileSync(short, "a cab");
  await refused(3, /short\.txt: expected at least 15 tokens, a window, got 5/, folder, "--text", short);
  const ids = join(dir, "ids.jsonl");
  writeFileSync(ids, `${JSON.stringify({ text: [1, 2, 99] })}\n`);
  await refused(3, /ids\.jsonl, line 1: token 2: expected an id from 0 to 36, got 99/, folder, "--text", ids);
  await refused(3, /none\.txt: expected a file, got none/, folder, "--text", join(dir, "none.txt"));
  await refused(
    2,
    /--context: expected a whole number from 2 to 16, got 17/,
    folder,
    "--text",
    text,
    "--context",
    "17",
  );
  await refused(2, /required option '--text <file>' not specified/, folder);
  const other = join(dir, "other");
  mkdirSync(other);
  writeFileSync(join(other, "config.json"), JSON.stringify({ model_type: "bert" }));
  await refused(3, /model_type.*expected one of .*, got "bert"/, other, "--text", text);
  const large = join(dir, "large");
  cpSync(folder, large, { recursive: true });
  const { tokenizer } = await bytePairTokenizer([TEXT], { size: 260 });
  writeFileSync(join(large, "tokenizer.json"), JSON.stringify(tokenizer));
  await refused(2, /tokenizer\.json: expected at most 37 ids, as the embedding has, got 2\d\d/, large, "--text", text);
  const trained = await command(dir, "train", "pretrained");
  expect([trained.status, trained.stderr]).toEqual([2, expect.stringMatching(/pretrained: expected mechanist import/)]);
});
