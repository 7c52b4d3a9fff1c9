/** Changed weights written back where every family has them: what was changed comes back so, and all else is the same to the bit. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { NamedValues, Values } from "../../engine/index.ts";
import { memorySource, type SourceFolder } from "../../file/bytes.ts";
import { readSafetensors, writeSafetensors } from "../../file/safetensors.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { writeEditedFolder } from "./node-edited-folder.ts";
import { openHuggingFace } from "./node-folder.ts";
import { storedEdits } from "./stored-edits.ts";

const GOLDEN = join(import.meta.dirname, "../../../test/golden/networks");
const families = readdirSync(GOLDEN, { withFileTypes: true }).filter((entry) => entry.isDirectory());

type Files = Record<string, Uint8Array>;

const filesOf = (name: string): Files =>
  Object.fromEntries(
    readdirSync(join(GOLDEN, name))
      .filter((file) => !file.startsWith("expected"))
      .map((file) => [file, new Uint8Array(readFileSync(join(GOLDEN, name, file)))]),
  );
const folderOf = (files: Files): SourceFolder => ({
  name: "net",
  open: async (file) => (files[file] === undefined ? undefined : memorySource(`net/${file}`, files[file])),
});

/** Some of a weight's numbers negated: a change that every type holds exactly. */
function changedAt(weight: Values, every: number): Values {
  return { ...weight, data: Float32Array.from(weight.data, (x, i) => (i % every === 1 % every ? -x : x)) };
}

async function patched(files: Files, changed: NamedValues): Promise<Files> {
  const found: Files = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, bytes.slice()]));
  for (const { file, start, bytes } of (await storedEdits(folderOf(files), changed)).edits) {
    found[file]!.set(bytes, start);
  }
  return found;
}

const differing = (a: Files, b: Files): number =>
  Object.keys(a).reduce((sum, file) => sum + a[file]!.filter((byte, i) => byte !== b[file]![i]).length, 0);

describe.each(families.map(({ name }) => name))("%s", (name) => {
  test("each weight alone", async () => {
    const files = filesOf(name);
    const { weights, network } = await readCheckpoint(folderOf(files));
    for (const { name: weight } of network.weights) {
      const changed = { [weight]: changedAt(weights[weight]!, 5) };
      const found = await patched(files, changed);
      const opened = (await readCheckpoint(folderOf(found))).weights;
      // Each weight as before, this one as it was made; and no byte but those of the numbers that changed.
      for (const other of Object.keys(weights)) {
        const wanted = other === weight ? changed[weight]! : weights[other]!;
        expect(Buffer.compare(bytesOf(opened[other]!), bytesOf(wanted)), `${other} after ${weight}`).toBe(0);
      }
      const numbers = changed[weight]!.data.filter((x, i) => x !== weights[weight]!.data[i]).length;
      expect(numbers).toBeGreaterThan(0);
      // The sign is one bit of one byte.
      expect(differing(files, found), weight).toBe(numbers);
    }
  });
});

const bytesOf = ({ data }: Values): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

describe("a folder", () => {
  function place(): string {
    const dir = mkdtempSync(join(tmpdir(), "mechanist-"));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    return dir;
  }

  test("in shards comes back with all that stood beside the weights, but for weights in other formats", async () => {
    const dir = place();
    const [from, to] = [join(dir, "from"), join(dir, "to")];
    cpSync(join(GOLDEN, "llama"), from, { recursive: true });
    rmSync(join(from, "expected.safetensors"));
    writeFileSync(join(from, "tokenizer.json"), "{}");
    writeFileSync(join(from, "pytorch_model.bin"), "old weights");
    writeFileSync(join(from, "pulled.json"), "{}");
    const { weights } = await openHuggingFace(from);
    const name = "blocks.1.attn.W_K";
    await writeEditedFolder(from, to, { [name]: changedAt(weights[name]!, 2) });
    expect(readdirSync(to).sort()).toEqual([
      "config.json",
      "model-00001-of-00003.safetensors",
      "model-00002-of-00003.safetensors",
      "model-00003-of-00003.safetensors",
      "model.safetensors.index.json",
      "tokenizer.json",
    ]);
    expect(readFileSync(join(to, "config.json"))).toEqual(readFileSync(join(from, "config.json")));
    expect((await openHuggingFace(to)).weights[name]!.data).toEqual(changedAt(weights[name]!, 2).data);
    await expect(writeEditedFolder(from, from, {})).rejects.toThrow("expected another folder than the network's own");
    const stop = new AbortController();
    stop.abort();
    await expect(writeEditedFolder(from, join(dir, "none"), weights, { signal: stop.signal })).rejects.toThrow();
    expect(existsSync(join(dir, "none"))).toBe(false);
  });

  test("that has its tied unembedding a second time keeps both the same", async () => {
    const files = filesOf("gpt2");
    const { tensors } = readSafetensors(files["model.safetensors"]!);
    const twice = { ...tensors, "lm_head.weight": tensors["transformer.wte.weight"]! };
    const twofold = { ...files, "model.safetensors": writeSafetensors(twice) };
    const { weights } = await readCheckpoint(folderOf(twofold));
    const wanted = changedAt(weights["embed.W_E"]!, 3);
    const found = await patched(twofold, { "embed.W_E": wanted });
    expect((await readCheckpoint(folderOf(found))).weights["embed.W_E"]!.data).toEqual(wanted.data);
  });
});
