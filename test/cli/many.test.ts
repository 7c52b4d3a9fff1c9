/** `decompose --seeds` and `sweep`: runs side by side in one folder, and what is made of them. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { command, documentOf, SMALL_TRAINING, startCommand, until } from "./command.ts";

let dir = "";
beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "mechanist-")));
  expect((await command(dir, ...SMALL_TRAINING, "--out", "net")).status).toBe(0);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const SETTINGS = ["--set", "batch=64", "--set", "components=6", "--set", "warmupSteps=5", "--steps", "120"];

/** Every field of a document, but for names that are data. */
function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => [
    key,
    ...(["bands", "matching"].includes(key) ? Object.values(part as object).flatMap(fieldsOf) : fieldsOf(part)),
  ]);
}
const DOCUMENTED = new Set(
  [...readFileSync("docs/json.md", "utf8").matchAll(/`([\w.]+)`/g)].flatMap((m) => m[1]!.split(".")),
);
const json = (...path: string[]): unknown => JSON.parse(readFileSync(join(dir, ...path), "utf8"));

/** Stops a command while it works on its second run. */
async function stoppedIn(second: string, args: readonly string[]): Promise<void> {
  const running = startCommand(dir, ...args);
  const checkpoints = join(dir, second, "checkpoints");
  await until(() => existsSync(checkpoints) && readdirSync(checkpoints).length > 0, "the second run");
  running.child.kill("SIGINT");
  const { status, stderr } = await running.ended;
  expect([status, stderr]).toEqual([130, expect.stringMatching(/stopped at step \d+ of 120/)]);
}

describe("decompose --seeds", () => {
  const args = ["decompose", "net", "--seeds", "3", "--seed", "4", ...SETTINGS];

  test("is a run for each seed, bands, and components matched; stopped and resumed it says the same", async () => {
    const whole = await command(dir, ...args, "--out", "seeds", "--json");
    expect([whole.status, whole.stderr]).toEqual([0, ""]);
    const document = documentOf(whole) as unknown as Record<string, Record<string, Record<string, unknown>>>;
    expect(fieldsOf(document).filter((field) => !DOCUMENTED.has(field))).toEqual([]);
    expect(document).toMatchObject({
      ...{ schema: 1, command: "decompose", path: join(dir, "seeds"), seeds: [4, 5, 6] },
      runs: ["seed-4", "seed-5", "seed-6"],
      passed: expect.any(Number) as number,
    });
    for (const name of ["mmcs", "l0", "stochasticRecon", "adversarialRecon"]) {
      const { n, mean, least, most, deviation } = document.bands![name] as Record<string, number>;
      expect(n).toBe(3);
      expect(least! <= mean! && mean! <= most! && deviation! > 0, name).toBe(true);
    }
    expect(Object.keys(document.matching!)).toEqual(["linear1", "linear2"]);
    // As many pairs as three seeds make.
    for (const site of Object.values(document.matching!)) {
      for (const band of ["cosine", "same", "byChance"]) expect((site[band] as { n: number }).n).toBe(3);
    }
    const { schema: _, command: __, path: ___, runs: ____, ...rest } = document;
    expect(json("seeds", "seeds.json")).toEqual({ schema: 1, ...rest });
    expect(readdirSync(join(dir, "seeds")).sort()).toEqual(["seed-4", "seed-5", "seed-6", "seeds.json"]);
    expect(json("seeds", "seed-5", "run.json")).toMatchObject({ document: { settings: { seed: 5 } } });

    await stoppedIn(join("stopped", "seed-5"), [...args, "--out", "stopped"]);
    expect(existsSync(join(dir, "stopped", "seeds.json"))).toBe(false);
    const refused = await command(dir, ...args, "--out", "stopped");
    expect([refused.status, refused.stderr]).toEqual([
      2,
      "mechanist: stopped: expected a new or empty folder, got one with runs in it; --resume goes on\n",
    ]);
    expect((await command(dir, ...args, "--out", "stopped", "--resume")).status).toBe(0);
    expect(json("stopped", "seeds.json")).toEqual(json("seeds", "seeds.json"));
  }, 240_000);

  test("wants two or more", async () => {
    const { status, stderr } = await command(dir, "decompose", "net", "--seeds", "1");
    expect([status, stderr]).toEqual([2, "mechanist: --seeds: expected a whole number from 2 to 1000, got 1\n"]);
  });
});

describe("sweep", () => {
  const args = ["sweep", "net", "--over", "importanceMinimality=1e-4,3e-2", ...SETTINGS];

  test("is a run for each value, and the front drawn; stopped and resumed it is the same", async () => {
    const whole = await command(dir, ...args, "--out", "sweep", "--json");
    expect([whole.status, whole.stderr]).toEqual([0, ""]);
    const document = documentOf(whole) as unknown as { points: Record<string, number | string>[] };
    expect(fieldsOf(document).filter((field) => !DOCUMENTED.has(field))).toEqual([]);
    expect(document).toMatchObject({
      schema: 1,
      command: "sweep",
      path: join(dir, "sweep"),
      key: "importanceMinimality",
    });
    const { points } = document;
    expect(points.map(({ value }) => value)).toEqual(["1e-4", "3e-2"]);
    for (const point of points)
      for (const name of ["l0", "ciMasked", "stochastic", "adversarial", "unmasked"])
        expect(point[name], name).toBeGreaterThanOrEqual(0);
    expect(Number(points[0]!.l0)).toBeGreaterThan(Number(points[1]!.l0));
    expect(json("sweep", "sweep.json")).toEqual({ schema: 1, key: "importanceMinimality", points });
    expect(readFileSync(join(dir, "sweep", "front.svg"), "utf8")).toMatch(/^<svg [^]*<\/svg>\s*$/);
    expect(json("sweep", "importanceMinimality-3e-2", "run.json")).toMatchObject({
      document: { settings: { importanceMinimality: 0.03 } },
    });

    await stoppedIn(join("halted", "importanceMinimality-3e-2"), [...args, "--out", "halted"]);
    expect((await command(dir, ...args, "--out", "halted", "--resume")).status).toBe(0);
    for (const file of ["sweep.json", "front.svg"])
      expect(readFileSync(join(dir, "halted", file), "utf8"), file).toBe(
        readFileSync(join(dir, "sweep", file), "utf8"),
      );
  }, 240_000);

  test.each([
    ["importanceMinimality", "--over: expected key=value,value with different values, got importanceMinimality"],
    ["steps=5,5", "--over: expected key=value,value with different values, got steps=5,5"],
  ])("of %s is refused", async (over, message) => {
    const { status, stderr } = await command(dir, "sweep", "net", "--over", over);
    expect([status, stderr]).toEqual([2, `mechanist: ${message}\n`]);
  });
});
