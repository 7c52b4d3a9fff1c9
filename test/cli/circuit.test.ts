/** `attribute`, `circuit` and `edit` as somebody at a terminal has them. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
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
