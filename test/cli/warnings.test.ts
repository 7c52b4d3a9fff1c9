/** Troubles are told while a decomposition is made, once each, with the setting to turn. */
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { command, documentOf } from "./command.ts";

let dir = "";
beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "mechanist-")));
  const { status } = await command(dir, "train", "tms", "--steps", "1500", "--set", "batch=256", "--out", "net");
  expect(status).toBe(0);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Warned {
  readonly step: number;
  readonly name: string;
  readonly site?: string;
  readonly knob: string;
}

async function decomposed(name: string, ...set: string[]): Promise<{ warned: Warned[]; lines: string[] }> {
  const common = ["batch=256", "importanceRise=0", "pruneBelow=0", "components=10", ...set];
  const settings = common.flatMap((pair) => ["--set", pair]);
  const ended = await command(dir, "decompose", "net", "--steps", "300", ...settings, "--out", name, "--json");
  expect(ended.status).toBe(0);
  const { warned = [] } = documentOf(ended) as unknown as { warned?: Warned[] };
  const record = JSON.parse(readFileSync(join(dir, name, "run.json"), "utf8")) as { result: { warned?: Warned[] } };
  expect(record.result.warned ?? []).toEqual(warned);
  return { warned, lines: ended.stderr.split("\n").filter((line) => line !== "") };
}

const named = (warned: readonly Warned[], name: string): Warned | undefined => warned.find((w) => w.name === name);

test("far too much pressure: nothing matters any more, and which knob says so", async () => {
  const { warned, lines } = await decomposed("pressed", "importanceMinimality=3");
  const found = named(warned, "dead site") ?? named(warned, "importance collapse");
  expect(found?.knob).toMatch(/lower importanceMinimality/);
  expect(found!.step).toBeGreaterThanOrEqual(75);
  expect(found!.step).toBeLessThan(300);
  // Each once, in the order in which they were kept.
  expect(lines).toHaveLength(warned.length);
  const keys = warned.map(({ name, site }) => `${name} ${site ?? ""}`);
  expect(new Set(keys).size).toBe(keys.length);
  lines.forEach((line, i) => expect(line).toContain(`mechanist: step ${warned[i]!.step}: `));
}, 120_000);

test("none at all: everything stays on, and L0 does not fall", async () => {
  const { warned } = await decomposed("free", "importanceMinimality=0");
  expect(named(warned, "L0 not falling")?.knob).toMatch(/raise importanceMinimality/);
  expect(named(warned, "dead site")).toBeUndefined();
}, 120_000);

test("a leak that masks have, too", async () => {
  const { warned } = await decomposed("leaky", "lowerLeak=slope", "importanceMinimality=1e-3");
  expect(named(warned, "negative masks")).toMatchObject({ knob: "lowerLeak=straight-through" });
  expect(named(warned, "negative masks")!.step).toBeLessThan(75);
}, 120_000);

test("fewer components than the matrix has rank, known from the first look on", async () => {
  const { warned } = await decomposed("few", "components=1");
  expect(warned.filter(({ name }) => name === "too few components").map(({ site }) => site)).toEqual([
    "linear1",
    "linear2",
  ]);
}, 120_000);
