import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { command, documentOf, emptyFolder, SMALL_SPD, SMALL_TRAINING, startCommand, until } from "./command.ts";

describe("help", () => {
  test("names every command, and each explains itself", async () => {
    const dir = emptyFolder();
    const { status, stdout, stderr } = await command(dir, "--help");
    expect([status, stderr]).toEqual([0, ""]);
    const names = [...stdout.matchAll(/^ {2}([a-z]+) \[options\]/gm)].map((match) => match[1]!);
    const wanted =
      "train decompose sweep judge card anomalies harvest components component label cluster attribute circuit edit export open start doctor pull import check look patch compile list";
    expect(names).toEqual(wanted.split(" "));
    for (const name of names) {
      const help = await command(dir, name, "--help");
      expect([help.status, help.stderr]).toEqual([0, ""]);
      expect(help.stdout).toContain("--json");
    }
    expect(readdirSync(dir)).toEqual([]);
  });

  test("no command at all is a question for help", async () => {
    expect((await command(emptyFolder())).stdout).toMatch(/^Usage: mechanist/);
  });

  test("the version is the package's", async () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect((await command(emptyFolder(), "--version")).stdout).toBe(`${version}\n`);
  });
});

/** Every field of a document, but for names that are data: settings, sites, the words of a summary. */
function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => {
    const named =
      key === "sites" ? Object.values(part as object) : key === "settings" && !Array.isArray(part) ? [] : part;
    return [key, ...fieldsOf(named)];
  });
}

const DOCUMENTED = new Set(
  [...readFileSync("docs/json.md", "utf8").matchAll(/`([\w.]+)`/g)].flatMap((m) => m[1]!.split(".")),
);

/** Refuses a document with a field that docs/json.md does not name. */
function expectDocumented(document: unknown): void {
  expect(fieldsOf(document).filter((field) => !DOCUMENTED.has(field))).toEqual([]);
}

describe("train and decompose", () => {
  test("networks of any size; each run has its own folder and one document", async () => {
    const dir = emptyFolder();
    const trained = await command(
      dir,
      ...SMALL_TRAINING,
      "--set",
      "features=7",
      "--set",
      "hidden=3",
      "--seed",
      "4",
      "--json",
    );
    expect([trained.status, trained.stderr]).toEqual([0, ""]);
    const train = documentOf(trained);
    expect(train).toMatchObject({
      schema: 1,
      command: "train",
      run: "tms-7-3",
      kind: "train",
      status: "finished",
      steps: 60,
    });
    expect(train).toMatchObject({
      document: { target: "tms", settings: { features: 7, hidden: 3, seed: 4, batch: 64 } },
    });
    expect(train.path).toBe(join(dir, "runs", "tms-7-3"));
    expectDocumented(train);
    for (const key of ["loss", "stepsPerSecond", "seconds"]) expect(train[key]).toBeGreaterThan(0);

    const decomposed = await command(dir, "decompose", "tms-7-3", "--method", "spd", ...SMALL_SPD, "--json");
    expect([decomposed.status, decomposed.stderr]).toEqual([0, ""]);
    const spd = documentOf(decomposed);
    const numbers = ["mmcs", "ml2r", "targetCiError", "alive", "l0"];
    const totals = [
      ...numbers,
      "stochasticRecon",
      "ciMaskedRecon",
      "adversarialRecon",
      "faithfulness",
      "stepsPerSecond",
    ];
    for (const key of totals) expect(spd[key], key).toEqual(expect.any(Number));
    expectDocumented(spd);
    const sites = Object.entries(spd.sites);
    expect(sites.map(([site]) => site)).toEqual(["linear1", "linear2"]);
    for (const [, site] of sites) for (const key of numbers) expect(site[key], key).toEqual(expect.any(Number));
    expect(spd).toMatchObject({
      schema: 1,
      command: "decompose",
      run: "tms-7-3-spd",
      document: { settings: { components: 6 } },
    });

    // The judge answers the same from the files alone, even when the network's own run is gone.
    const judged = documentOf(await command(dir, "judge", "tms-7-3-spd", join("runs", "tms-7-3-spd"), "--json"));
    expect(judged).toMatchObject({ schema: 1, command: "judge" });
    expectDocumented(judged);
    const { runs } = judged;
    expect(runs).toHaveLength(2);
    for (const run of runs) for (const key of [...totals, "sites", "passed"]) expect(run[key], key).toEqual(spd[key]);
    expect(runs[0]).toMatchObject({ run: "tms-7-3-spd", step: 30, status: "finished" });

    expect(readdirSync(dir)).toEqual(["runs"]);
    expect(readdirSync(join(dir, "runs"))).toEqual(["tms-7-3", "tms-7-3-spd"]);
    expect(readdirSync(join(dir, "runs", "tms-7-3-spd")).sort()).toEqual([
      "checkpoints",
      "metrics.jsonl",
      "run.json",
      "target.safetensors",
    ]);
  });

  test("the identity of the network is taken apart, too; --out and --config are heeded", async () => {
    const dir = emptyFolder();
    await command(dir, ...SMALL_TRAINING, "--preset", "tms-5-2-id", "--out", "net");
    writeFileSync(join(dir, "spd.yaml"), "# small\ncomponents: 9\nbatch: 32\nsteps: 7\nwarmupSteps: 2\n");
    const { stdout, stderr } = await command(
      dir,
      "decompose",
      "net",
      "--config",
      "spd.yaml",
      "--set",
      "batch=64",
      "--out",
      "parts",
      "--json",
    );
    expect(stderr).toBe("");
    const document = documentOf({ stdout });
    expect(document).toMatchObject({ run: "parts", steps: 7, document: { settings: { components: 9, batch: 64 } } });
    expect(Object.keys(document.sites)).toEqual(["linear1", "identity", "linear2"]);
    expect(document.sites).toMatchObject({ identity: { pattern: "dense" } });
    expect(readdirSync(dir).sort()).toEqual(["net", "parts", "spd.yaml"]);
  });

  test("the same command gives the same bits, in a folder of the next name", async () => {
    const dir = emptyFolder();
    await command(dir, ...SMALL_TRAINING);
    await command(dir, ...SMALL_TRAINING);
    const last = (run: string): Buffer =>
      readFileSync(join(dir, "runs", run, "checkpoints", "step-000060.safetensors"));
    expect(last("tms-5-2-2").equals(last("tms-5-2"))).toBe(true);
    const digest = (run: string): string =>
      (JSON.parse(readFileSync(join(dir, "runs", run, "run.json"), "utf8")) as { digest: string }).digest;
    expect(digest("tms-5-2-2")).toBe(digest("tms-5-2"));
  });

  test("for people, a table", async () => {
    const dir = emptyFolder();
    expect((await command(dir, ...SMALL_TRAINING)).stdout).toMatch(
      /^trained tms-5-2 in \d+ s: loss 0\.\d+ {2}\(.*runs.tms-5-2\)\n {2}measured {2,}meaning\n {2}represented {2}\d {2}features with .*\n$/,
    );
    const { stdout } = await command(dir, "decompose", "tms-5-2", ...SMALL_SPD);
    expect(stdout).toMatch(/^site +pattern +components +target-CI error +MMCS +ML2R +L0$/m);
    expect(stdout).toMatch(/^linear1 +identity +\d+ of 5 /m);
    expect(stdout).toMatch(/steps\/s$/m);
  });
});

describe("list and doctor", () => {
  test.each([
    ["targets", "tms"],
    ["methods", "spd"],
    ["presets", "tms-40-10-id"],
  ])("list %s", async (what, name) => {
    const dir = emptyFolder();
    expect((await command(dir, "list", what)).stdout).toContain(name);
    const document = documentOf(await command(dir, "list", what, "--json"));
    expect(document).toMatchObject({
      schema: 1,
      command: "list",
      [what]: expect.arrayContaining([expect.objectContaining({ name })]),
    });
  });

  test("doctor holds the device against float64", async () => {
    const { status, stdout } = await command(emptyFolder(), "doctor", "--json");
    expect(status).toBe(0);
    expectDocumented(documentOf({ stdout }));
    expect(documentOf({ stdout })).toMatchObject({ command: "doctor", ok: true, environment: { device: "cpu" } });
  });
});

describe("the page", () => {
  test("open serves a folder of runs; a busy port is passed over, and said to be", async () => {
    const dir = emptyFolder();
    await command(dir, ...SMALL_TRAINING);
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
    const { port } = holder.address() as { port: number };
    const running = startCommand(dir, "open", "--port", String(port), "--json");
    await until(() => running.stdout().includes("}\n"), "the address");
    const document = documentOf({ stdout: running.stdout() });
    expectDocumented(document);
    expect(document).toMatchObject({ command: "open", runs: ["tms-5-2"], path: join(dir, "runs") });
    expect(document.port).not.toBe(port);
    const listed = (await (await fetch(`${String(document.url)}api/runs`)).json()) as { name: string }[];
    expect(listed.map((run) => run.name)).toEqual(["tms-5-2"]);
    running.child.kill("SIGINT");
    const { status, stderr } = await running.ended;
    holder.close();
    expect([status, stderr]).toEqual([0, `mechanist: port ${port} is busy; using ${String(document.port)}\n`]);
  });

  test("start trains, takes apart and sums up", async () => {
    const dir = emptyFolder();
    const { status, stdout, stderr } = await command(dir, "start", "--no-serve", "--json");
    expect([status, stderr]).toEqual([0, ""]);
    expectDocumented(documentOf({ stdout }));
    expect(documentOf({ stdout })).toMatchObject({
      command: "start",
      train: { run: "tms-5-2", status: "finished" },
      decompose: { run: "tms-5-2-spd", status: "finished", expectedAlive: 10 },
    });
    expect(existsSync(join(dir, "runs", "tms-5-2-spd", "run.json"))).toBe(true);
  });
});
