/** `decompose --seeds` and `sweep`: runs side by side in one folder, and what is made of them. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { command, documentOf, metricsOf, type Running, SMALL_TRAINING, startCommand, until } from "./command.ts";

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

const recordOf = (run: string): { readonly status: string; readonly pid: number } =>
  json(run, "run.json") as { status: string; pid: number };

/** Starts a command, and waits until it takes steps of some runs. */
async function startedOn(runs: readonly string[], args: readonly string[]): Promise<Running> {
  const running = startCommand(dir, ...args);
  const begun = (run: string): boolean => {
    const checkpoints = join(dir, run, "checkpoints");
    return existsSync(checkpoints) && readdirSync(checkpoints).length > 0;
  };
  await until(() => runs.every(begun), `steps of ${runs.join(", ")}`);
  return running;
}

/** Stops a command while it works on some runs: it says how to go on, and nothing of it is left running. */
async function stoppedIn(runs: readonly string[], args: readonly string[], told: RegExp): Promise<void> {
  const running = await startedOn(runs, args);
  running.child.kill("SIGINT");
  const { status, stdout, stderr } = await running.ended;
  expect([status, stdout, stderr]).toEqual([130, "", expect.stringMatching(told)]);
  for (const run of runs) {
    expect(["stopped", "finished"]).toContain(recordOf(run).status);
    expect(lives(recordOf(run).pid)).toBe(false);
  }
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function expectSameBits(run: string, other: string): void {
  const files = readdirSync(join(dir, run, "checkpoints")).sort();
  expect(readdirSync(join(dir, other, "checkpoints")).sort()).toEqual(files);
  for (const file of files.map((name) => join("checkpoints", name)))
    expect(readFileSync(join(dir, run, file)).equals(readFileSync(join(dir, other, file))), file).toBe(true);
  expect(metricsOf(join(dir, run))).toEqual(metricsOf(join(dir, other)));
}

describe("decompose --seeds", () => {
  const args = ["decompose", "net", "--seeds", "3", "--seed", "4", ...SETTINGS];

  test("is a run for each seed, bands, and components matched; two at a time, stopped and resumed, it is the same to the bit", async () => {
    const whole = await command(dir, ...args, "--jobs", "1", "--out", "seeds", "--json");
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

    const two = [...args, "--jobs", "2", "--out", "stopped"];
    const told = /^mechanist: stopped: stopped with [012] of 3 finished; --resume --out stopped goes on\n$/;
    await stoppedIn(["stopped/seed-4", "stopped/seed-5"], two, told);
    expect(existsSync(join(dir, "stopped", "seeds.json"))).toBe(false);
    const refused = await command(dir, ...args, "--out", "stopped");
    expect([refused.status, refused.stderr]).toEqual([
      2,
      "mechanist: stopped: expected a new or empty folder, got one with runs in it; --resume goes on\n",
    ]);
    expect((await command(dir, ...two, "--resume")).status).toBe(0);
    expect(json("stopped", "seeds.json")).toEqual(json("seeds", "seeds.json"));
    for (const seed of ["seed-4", "seed-5", "seed-6"]) expectSameBits(`stopped/${seed}`, `seeds/${seed}`);
  }, 240_000);

  test("tells which failed, and why, and makes the others; resumed, it makes what is missing", async () => {
    const three = ["decompose", "net", "--seeds", "3", "--jobs", "2", ...SETTINGS, "--out", "taken", "--json"];
    mkdirSync(join(dir, "taken", "seed-1"), { recursive: true });
    writeFileSync(join(dir, "taken", "seed-1", "mine.txt"), "mine");
    const some = await command(dir, ...three, "--resume");
    const message = "taken/seed-1: expected a new or empty folder, got one with files in it";
    expect([some.status, some.stderr]).toEqual([2, `mechanist: seed-1: ${message}\n`]);
    const failed = [{ run: "seed-1", error: { code: "BadArgument", message } }];
    expect(documentOf(some)).toMatchObject({ seeds: [0, 2], runs: ["seed-0", "seed-2"], failed });
    expect(json("taken", "seeds.json")).toMatchObject({ seeds: [0, 2], bands: { l0: { n: 2 } }, failed });
    expect(fieldsOf(documentOf(some)).filter((field) => !DOCUMENTED.has(field))).toEqual([]);

    const before = readFileSync(join(dir, "taken", "seed-0", "run.json"), "utf8");
    rmSync(join(dir, "taken", "seed-1"), { recursive: true });
    const all = await command(dir, ...three, "--resume");
    expect([all.status, all.stderr]).toEqual([0, ""]);
    expect(documentOf(all)).toMatchObject({ seeds: [0, 1, 2] });
    expect(documentOf(all)).not.toHaveProperty("failed");
    expect(readFileSync(join(dir, "taken", "seed-0", "run.json"), "utf8")).toBe(before);
  });

  test("killed, leaves no process behind", async () => {
    const long = [...SETTINGS.slice(0, -1), "100000"];
    const runs = ["killed/seed-0", "killed/seed-1"];
    const running = await startedOn(runs, [
      "decompose",
      "net",
      "--seeds",
      "2",
      "--jobs",
      "2",
      ...long,
      "--out",
      "killed",
    ]);
    running.child.kill("SIGKILL");
    await until(() => runs.every((run) => !lives(recordOf(run).pid)), "the end of its runs");
  });

  test("settings that no run could have are refused before anything is made", async () => {
    const { status, stderr } = await command(
      dir,
      "decompose",
      "net",
      "--seeds",
      "2",
      "--set",
      "batch=0",
      "--out",
      "no",
    );
    expect([status, stderr]).toEqual([2, expect.stringMatching(/^mechanist: .*batch.*\n$/)]);
    expect(existsSync(join(dir, "no"))).toBe(false);
  });

  test.each([
    [["--seeds", "2", "--jobs", "0"], "--jobs: expected a whole number from 1 to 1000, got 0"],
    [["--seeds", "2", "--jobs", "two"], "--jobs: expected a whole number from 1 to 1000, got two"],
    [["--jobs", "2"], "--jobs: expected --seeds with it, got none"],
  ])("%j is refused", async (wrong, message) => {
    const { status, stderr } = await command(dir, "decompose", "net", ...wrong);
    expect([status, stderr]).toEqual([2, `mechanist: ${message}\n`]);
  });

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

    const halted = [...args, "--jobs", "1", "--out", "halted"];
    await stoppedIn(["halted/importanceMinimality-3e-2"], halted, /stopped with 1 of 2 finished; --resume/);
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
