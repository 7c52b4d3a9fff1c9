/** Harvests from the command line: of a toy, and of a small language model; stopped and gone on with; asked about; exported. */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tokenRun } from "../token-run.ts";
import { command, documentOf, emptyFolder, SMALL_SPD, SMALL_TRAINING, startCommand, until } from "./command.ts";

interface Harvest {
  readonly n: number;
  readonly fired: number;
  readonly components: number;
  readonly outputs: number;
  readonly kind: string;
  readonly files: Readonly<Record<string, { readonly rows: number; readonly sha256: string }>>;
}
const harvestIn = (dir: string, run: string): Harvest =>
  JSON.parse(readFileSync(join(dir, "runs", run, "harvest", "harvest.json"), "utf8")) as Harvest;

/** Columns of the tables are in the other document. */
const DOCUMENTED = new Set(
  ["docs/json.md", "docs/formats.md"]
    .flatMap((file) => [...readFileSync(file, "utf8").matchAll(/`([\w.]+)`/g)])
    .flatMap((match) => match[1]!.split(".")),
);
/** Every field of a document but names that are data. */
function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => [
    key,
    ...fieldsOf(key === "files" ? Object.values(part as object) : key === "settings" ? [] : part),
  ]);
}
const expectDocumented = (document: unknown): void =>
  expect(fieldsOf(document).filter((field) => !DOCUMENTED.has(field))).toEqual([]);

const folders: string[] = [];
afterAll(() => {
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
});
/** An empty folder for all tests of a group. */
function folderForAll(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "mechanist-")));
  folders.push(dir);
  return dir;
}

describe("a toy", () => {
  let dir: string;
  beforeAll(async () => {
    dir = folderForAll();
    await command(dir, ...SMALL_TRAINING);
    await command(dir, "decompose", "tms-5-2", ...SMALL_SPD);
  });

  test("is harvested into its folder; features take the place of tokens", async () => {
    const ended = await command(
      dir,
      "harvest",
      "tms-5-2-spd",
      "--positions",
      "3000",
      "--examples",
      "4",
      "--threshold",
      "0",
      "--json",
    );
    expect(ended.status).toBe(0);
    expect(ended.stderr).toMatch(
      /^mechanist: harvest of 3,000 examples, 12 components, firing above 0: at most \d+ MiB of memory\n$/,
    );
    const document = documentOf(ended) as unknown as Harvest;
    expectDocumented(document);
    expect(document).toMatchObject({
      command: "harvest",
      n: 3000,
      components: 12,
      kind: "features",
      outputs: 0,
      step: 30,
    });
    expect(Object.keys(document.files)).toEqual(
      ["examples", "background", "tokens", "pairs", "components"].map((name) => `${name}.parquet`),
    );
    expect(readdirSync(join(dir, "runs", "tms-5-2-spd", "harvest")).sort()).toEqual(
      [...Object.keys(document.files), "harvest.json"].sort(),
    );
    expect(document.files["components.parquet"]!.rows).toBe(12);
  });

  test("its components are listed, and each has a card", async () => {
    const listed = documentOf(await command(dir, "components", "tms-5-2-spd", "--limit", "3", "--json")) as never as {
      rows: { address: string; density: number; site: string }[];
      listed: number;
      fired: number;
    };
    expectDocumented(listed);
    expect(listed.rows.length).toBe(3);
    const densities = listed.rows.map(({ density }) => density);
    expect(densities).toEqual(densities.toSorted((a, b) => b - a));
    const { stdout } = await command(dir, "components", "tms-5-2-spd", "--limit", "3", "--site", "linear1");
    expect(stdout).toMatch(/^3 of \d that fired above 0, of 6; n = 3000 /m);
    const { address } = listed.rows[0]!;
    const card = await command(dir, "component", "tms-5-2-spd", address, "--json");
    expectDocumented(documentOf(card));
    expect(documentOf(card)).toMatchObject({ command: "component", threshold: 0, n: 3000, component: { address } });
    const text = (await command(dir, "component", "tms-5-2-spd", address)).stdout;
    expect(text).toMatch(/P\(feature\|fires\) +P\(fires\|feature\) +lift +PMI nats/);
    expect(text).not.toMatch(/precision|recall/);
  });

  test.each([
    [["component", "tms-5-2-spd", "linear1:99"], /component: expected linear1:\d+, got linear1:99/],
    [["components", "tms-5-2-spd", "--site", "linear9"], /site: expected linear\d, got linear9/],
    [["components", "tms-5-2-spd", "--sort", "densty"], /order: expected density, got densty/],
    [["components", "tms-5-2-spd", "--limit", "0"], /--limit: expected a whole number from 1/],
    [["harvest", "tms-5-2-spd", "--positions", "none"], /harvest positions: expected number, got "none"/],
    [["harvest", "tms-5-2-spd", "--memory", "1"], /harvest: expected at most 1 MiB of memory, got \d+ MiB/],
    [["harvest", "tms-5-2"], /expected a decomposition, got a train run/],
    [
      [
        "harvest",
        "tms-5-2-spd",
        "--resume",
        "--positions",
        "3000",
        "--examples",
        "4",
        "--threshold",
        "0",
        "--export",
        "out",
      ],
      /expected a network of tokens to export/,
    ],
  ])("%j is refused on one line", async (args, message) => {
    const { status, stderr } = await command(dir, ...args);
    expect([status, stderr.trim().split("\n").length]).toEqual([2, 1]);
    expect(stderr).toMatch(message);
  });

  test("without a harvest there is nothing to ask", async () => {
    const other = emptyFolder();
    await command(other, ...SMALL_TRAINING);
    await command(other, "decompose", "tms-5-2", ...SMALL_SPD);
    const { status, stderr } = await command(other, "components", "tms-5-2-spd");
    expect([status, stderr]).toEqual([
      3,
      expect.stringMatching(/expected a harvest, got none; mechanist harvest makes one\n$/),
    ]);
    writeFileSync(join(dir, "runs", "tms-5-2-spd", "harvest", "pairs.parquet"), "nothing of the kind");
    const broken = await command(dir, "components", "tms-5-2-spd");
    expect([broken.status, broken.stderr.trim().split("\n").length]).toEqual([3, 1]);
    expect(broken.stderr).toMatch(/expected tables of a harvest, got /);
  });
});

describe("a language model", () => {
  let dir: string;
  beforeAll(async () => {
    dir = folderForAll();
    await tokenRun(join(dir, "runs", "words"));
  });

  test("is harvested, asked about and exported", async () => {
    const args = ["harvest", "words", "--positions", "4000", "--threshold", "0.05", "--export", "out"];
    const ended = await command(dir, ...args, "--json");
    expect(ended.status).toBe(0);
    const document = documentOf(ended) as unknown as Harvest & { export: { features: number; activations: number } };
    expectDocumented(document);
    expect(document).toMatchObject({ kind: "tokens", n: 4000 });
    expect(document.outputs).toBeGreaterThan(5);
    expect(document.export.features).toBe(document.fired);
    const { rows } = documentOf(await command(dir, "components", "words", "--json")) as never as {
      rows: { address: string }[];
    };
    const card = (await command(dir, "component", "words", rows[0]!.address)).stdout;
    expect(card).toMatch(/P\(token\|fires\) +P\(fires\|token\) +lift +PMI nats/);
    expect(card).toMatch(/^output tokens, by the network's own probability where it fires$/m);
    expect(card).toMatch(/ q 0\.\d+ .*\[.+\]/);
    const model = join(dir, "out", "v1", "words");
    const lines = readdirSync(model).flatMap((source) => {
      const file = join(model, source, "features", "batch-0.jsonl.gz");
      return existsSync(file) ? gunzipSync(readFileSync(file)).toString().trim().split("\n") : [];
    });
    const features = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(features.length).toBe(document.fired);
    expect(features[0]).toMatchObject({
      modelId: "words",
      index: expect.any(String),
      frac_nonzero: expect.any(Number),
    });
  });

  test("stopped by Ctrl-C and gone on with, it has the same bits", async () => {
    const args = ["harvest", "words", "--positions", "60000", "--seed", "3", "--threshold", "0.05"];
    expect((await command(dir, ...args)).status).toBe(0);
    const whole = harvestIn(dir, "words").files;
    const [copy, folder] = [join(dir, "runs", "again"), join(dir, "runs", "again", "harvest")];
    cpSync(join(dir, "runs", "words"), copy, { recursive: true });
    rmSync(folder, { recursive: true });
    args[1] = "again";
    const running = startCommand(dir, ...args);
    await until(() => existsSync(folder), "the pass");
    await new Promise((resolve) => setTimeout(resolve, 150));
    running.child.kill("SIGINT");
    const stopped = await running.ended;
    expect(stopped.status).toBe(130);
    expect(stopped.stderr).toMatch(/harvest: stopped at position \d+ of 60000\n$/);
    expect(readdirSync(folder)).toContain("partial.safetensors");
    const resumed = await command(dir, ...args, "--resume", "--json");
    expect([resumed.status, resumed.stderr]).toEqual([0, expect.not.stringContaining("nothing to resume")]);
    const sums = (files: Harvest["files"]): string[] => Object.values(files).map(({ sha256 }) => sha256);
    expect(sums((documentOf(resumed) as never as Harvest).files)).toEqual(sums(whole));
    expect(readdirSync(folder)).not.toContain("partial.safetensors");
    // Asked for again, it is there.
    const again = await command(dir, ...args, "--resume", "--json");
    expect((documentOf(again) as never as { createdAt: string }).createdAt).toBe(
      (documentOf(resumed) as never as { createdAt: string }).createdAt,
    );
  });
});
