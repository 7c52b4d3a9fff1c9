/** `attribute`, `circuit` and `edit` as somebody at a terminal has them. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tokenRun } from "../token-run.ts";
import { command, documentOf, emptyFolder, SMALL_SPD, SMALL_TRAINING } from "./command.ts";

/** Every field of a document, but for settings. */
function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => [key, ...(key === "settings" ? [] : fieldsOf(part))]);
}

const DOCUMENTED = new Set(
  [...readFileSync("docs/json.md", "utf8").matchAll(/`([\w.]+)`/g)].flatMap((m) => m[1]!.split(".")),
);

interface HeadsDocument {
  readonly writes: readonly (readonly number[])[];
}

async function documented(dir: string, ...args: string[]): Promise<Readonly<Record<string, unknown>>> {
  const ended = await command(dir, ...args, "--json");
  expect([ended.status, ended.stderr]).toEqual([0, ""]);
  const document = documentOf(ended);
  expect(fieldsOf(document).filter((field) => !DOCUMENTED.has(field))).toEqual([]);
  return document as unknown as Readonly<Record<string, unknown>>;
}

// One decomposition for all that is asked of it here.
let dir = "";
beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "mechanist-")));
  await command(dir, ...SMALL_TRAINING, "--out", "net");
  expect((await command(dir, "decompose", "net", ...SMALL_SPD, "--out", "parts")).status).toBe(0);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("a graph, a circuit and an edit of a toy", async () => {
  const input = ["--features", "0=1,3=0.5"];
  const graph = await documented(
    dir,
    "attribute",
    "parts",
    ...input,
    "--calibrate",
    "--out",
    "g.json",
    "--figure",
    "g.svg",
  );
  expect(graph).toMatchObject({ run: "parts", step: 30, layers: ["input", "linear1", "linear2", "output"] });
  const { nodes, links } = JSON.parse(readFileSync(join(dir, "g.json"), "utf8")) as Record<string, unknown[]>;
  expect(nodes!.length).toBeGreaterThanOrEqual((graph.shown as { nodes: number }).nodes);
  expect(links!.length).toBeGreaterThanOrEqual((graph.shown as { edges: number }).edges);
  expect(readFileSync(join(dir, "g.svg"), "utf8")).toMatch(/^<svg [^]*<\/svg>\n$/);

  const circuit = await documented(dir, "circuit", "parts", ...input, "--steps", "30", "--out", "c.json");
  for (const when of ["before", "after"]) {
    expect(Object.keys(circuit[when] as object)).toEqual(["ciMasked", "stochastic", "adversarial"]);
  }
  expect(JSON.parse(readFileSync(join(dir, "c.json"), "utf8"))).toMatchObject({ alive: circuit.alive });

  const edit = await documented(
    dir,
    "edit",
    "parts",
    "--ablate",
    "linear1:0",
    "--strengths",
    "0,1",
    "--positions",
    "500",
  );
  expect(edit).toMatchObject({ unit: "squared error", effects: [{ strength: 0 }, { strength: 1 }] });
  const told = await command(dir, "edit", "parts", "--scale", "linear1:1=2", "--positions", "500");
  expect(told.stdout).toContain("linear1:1 times 2");
  for (const file of ["c.json", "g.json", "g.svg"]) expect(existsSync(join(dir, file))).toBe(true);
});

test("attribution over data, to components that matter most and to what is named", async () => {
  const found = await documented(
    dir,
    "attribute",
    "parts",
    "--dataset",
    "--rows",
    "500",
    "--to",
    "output:1",
    "--top",
    "1",
  );
  expect(found).toMatchObject({ run: "parts", dataset: { n: 500, examples: 500 }, shown: { edges: 1 } });
  const { edges, targets } = found as { edges: { from: string; to: string }[]; targets: { address: string }[] };
  expect(targets.map(({ address }) => address)).toEqual(["output:1"]);
  for (const { from, to } of edges) expect([from.split(":")[0], to]).toEqual(["linear2", "output:1"]);
  const told = await command(dir, "attribute", "parts", "--dataset", "--rows", "500", "--targets", "2");
  expect([told.status, told.stderr]).toEqual([0, ""]);
  expect(told.stdout).toMatch(/^from +to +normalised +of \|target\| +mean contribution\nlinear1:\d +linear2:\d /m);
});

test("of a language model: nodes are held against removing them, and heads are told apart", async () => {
  const folder = emptyFolder();
  await tokenRun(join(folder, "parts"), "blocks.0.attn.W_*");
  const input = ["--tokens", "1,2,3,1", "--at", "2"];
  const graph = await documented(folder, "attribute", "parts", ...input, "--calibrate");
  const calibration = graph.nodeCalibration as { output: string; rows: { to: string }[] };
  expect(calibration.output).toMatch(/^output:\d+@2$/);
  expect(new Set(calibration.rows.map(({ to }) => to))).toEqual(new Set([calibration.output]));

  const found = await documented(folder, "attribute", "parts", "--heads", ...input, "--rows", "64");
  const heads = found.heads as { layer: number; queryKey: Record<string, unknown>; outputValue: HeadsDocument }[];
  expect(heads.map(({ layer }) => layer)).toEqual([0]);
  const [{ queryKey, outputValue }] = heads as [(typeof heads)[number]];
  expect(queryKey).toMatchObject({ sites: { query: "blocks.0.attn.W_Q" }, offsets: [0], onInput: { position: 2 } });
  expect([outputValue.writes[0]![0], outputValue.writes[1]!.length]).toEqual([expect.closeTo(1, 5), 2]);
  const told = await command(folder, "attribute", "parts", "--heads", ...input, "--rows", "64");
  expect([told.status, told.stderr]).toEqual([0, ""]);
  for (const line of ["queries and keys in the weights", "on the input, from position 2", "values and outputs"]) {
    expect(told.stdout).toMatch(new RegExp(`^layer 0, ${line}`, "m"));
  }
  const wrong = await command(folder, "attribute", "parts", "--heads", "--layer", "2");
  expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("a layer from 0 to 0, got 2")]);
});

test("an edited network opens wherever a network is taken", async () => {
  const folder = emptyFolder();
  await command(folder, "train", "deep-linear", "--steps", "5", "--set", "batch=32", "--out", "net");
  const parts = ["decompose", "net", "--steps", "5", "--set", "components=6", "--set", "batch=32", "--out", "parts"];
  expect((await command(folder, ...parts)).stderr).toBe("");
  const { sites } = documentOf(await command(folder, "judge", "parts", "--json")).runs[0]! as unknown as {
    sites: Record<string, unknown>;
  };
  const [site] = Object.keys(sites) as [string];
  await documented(folder, "edit", "parts", "--ablate", `${site}:0`, "--positions", "64", "--out", "edited");
  expect(readdirSync(join(folder, "edited")).sort()).toEqual(["model.safetensors", "network.json"]);
  const checked = documentOf(await command(folder, "check", "edited", "--json"));
  expect(checked).toMatchObject({ ok: true });
  expect(String(checked.network)).toMatch(/edited$/);
  writeFileSync(join(folder, "edited", "network.json"), '{"schema": 1, "kind": "edited"}');
  const { status, stderr } = await command(folder, "check", "edited");
  expect([status, stderr]).toEqual([3, expect.stringContaining("expected how the network was trained, got none")]);
});

test("what cannot be is said in one line, before anything is computed", async () => {
  const wrong: readonly (readonly [string, number, string])[] = [
    ["attribute net --features 0=1", 2, "expected a decomposition, got a train run"],
    ["attribute parts", 2, "expected --features for tms-5-2, got none"],
    ["attribute parts --features 0=1 --threshold 2", 2, "--threshold: expected a number from 0 to 1, got 2"],
    ["attribute parts --dataset --features 0=1", 2, "expected --dataset or --features, got both"],
    ["attribute parts --dataset --heads", 2, "expected --dataset or --heads, got both"],
    ["attribute parts --rows 10", 2, "--rows: expected --dataset or --heads with it, got neither"],
    ["attribute parts --dataset --to linear2:99", 2, "linear2: expected a component from 0 to 5, got 99"],
    ["attribute parts --dataset --to output:5", 2, "output: expected an output from 0 to 4, got 5"],
    ["attribute parts --heads", 2, "--heads: expected a transformer, got tms-5-2"],
    ["edit parts --ablate linear3:1", 2, "expected one of linear1, linear2, got linear3"],
    ["edit parts --replace linear1:1=@no.json", 3, "no.json: expected a JSON list of numbers, got none"],
    ["edit parts --ablate linear1:1 --out edited", 2, "expected a weight called linear1 to change, got none"],
  ];
  for (const [line, code, message] of wrong) {
    const { status, stdout, stderr } = await command(dir, ...line.split(" "));
    expect([line, status, stdout, stderr.trim().split("\n").length]).toEqual([line, code, "", 1]);
    expect(stderr).toContain(message);
  }
  expect(existsSync(join(dir, "edited"))).toBe(false);
});
