import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { command, documentOf, emptyFolder, SMALL_SPD, SMALL_TRAINING, startCommand, until } from "./command.ts";

const DOCUMENTED = new Set(
  [...readFileSync("docs/json.md", "utf8").matchAll(/`([\w.]+)`/g)].flatMap((m) => m[1]!.split(".")),
);

/** Every field but names of settings. */
function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => [key, ...(key === "settings" ? [] : fieldsOf(part))]);
}

async function decomposed(): Promise<string> {
  const dir = emptyFolder();
  await command(dir, ...SMALL_TRAINING);
  await command(dir, "decompose", "tms-5-2", ...SMALL_SPD);
  return dir;
}

interface Clusters {
  readonly k: number;
  readonly alive: number;
  readonly ks: readonly number[];
  readonly clusters: readonly { readonly address: string; readonly members: readonly string[] }[];
}

describe("cluster", () => {
  test("writes clusters into the run's folder; the same again with --resume costs nothing and changes nothing", async () => {
    const dir = await decomposed();
    const run = join(dir, "runs", "tms-5-2-spd");
    const before = readdirSync(run).sort();
    const asked = ["cluster", "tms-5-2-spd", "--positions", "3000", "--alpha", "0.5", "--json"];
    const ended = await command(dir, ...asked);
    expect(ended.status).toBe(0);
    expect(ended.stderr).toMatch(
      /^mechanist: clustering 12 components at 3,000 positions, firing above 0\.01: at most \d+ MiB of memory\n$/,
    );
    const document = documentOf(ended) as unknown as Clusters & Record<string, unknown>;
    expect(fieldsOf(document).filter((field) => !DOCUMENTED.has(field))).toEqual([]);
    expect(document).toMatchObject({
      schema: 1,
      command: "cluster",
      run: "tms-5-2-spd",
      step: 30,
      components: 12,
      positions: 3000,
      settings: { alpha: 0.5, threshold: 0.01, sampler: "greedy", ensemble: 3, seed: 0 },
    });
    expect(document.clusters).toHaveLength(document.k);
    expect(document.ks).toHaveLength(3);
    expect(document.clusters.flatMap(({ members }) => members)).toHaveLength(document.alive);
    expect(readdirSync(run).sort()).toEqual([...before, "clusters.json", "clusters.svg"].sort());
    expect(readFileSync(join(run, "clusters.svg"), "utf8")).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    const kept = readFileSync(join(run, "clusters.json"), "utf8");

    const again = await command(dir, ...asked, "--resume");
    expect([again.status, again.stderr]).toEqual([0, ""]);
    expect(documentOf(again)).toEqual(document);
    expect(readFileSync(join(run, "clusters.json"), "utf8")).toBe(kept);

    const text = (await command(dir, ...asked.slice(0, -1), "--ensemble", "1", "--resume")).stdout;
    expect(text).toMatch(/^tms-5-2-spd: \d+ of 12 components fire above 0.01; \d+ clusters {2}\(runs.tms-5-2-spd\)$/m);
    expect(text).toMatch(/^one clustering: nothing is known of how stable it is$/m);
  });

  test("one that is stopped goes on to the same clusters; what is wrong is said in one line", async () => {
    const dir = await decomposed();
    const run = join(dir, "runs", "tms-5-2-spd");
    const asked = ["cluster", "tms-5-2-spd", "--positions", "60000", "--ensemble", "4", "--json"];
    const running = startCommand(dir, ...asked);
    await until(() => existsSync(join(run, "clusters.json")), "the first part");
    running.child.kill("SIGINT");
    const { status, stderr } = await running.ended;
    expect(status).toBe(130);
    expect(stderr.split("\n").at(-2)).toMatch(/^mechanist: (cluster|sample): stopped (at step|after) /);
    const partial = JSON.parse(readFileSync(join(run, "clusters.json"), "utf8")) as { finished: boolean };
    expect(partial.finished).toBe(false);
    const resumed = documentOf(await command(dir, ...asked, "--resume"));
    const kept = readFileSync(join(run, "clusters.json"), "utf8");
    expect(documentOf(await command(dir, ...asked))).toEqual(resumed);
    expect(readFileSync(join(run, "clusters.json"), "utf8")).toBe(kept);
    expect(existsSync(join(run, "clusters-firings.safetensors"))).toBe(false);

    const wrong: readonly (readonly [readonly string[], number, RegExp])[] = [
      [["tms-5-2"], 2, /^mechanist: tms-5-2: expected a decomposition, got a train run\n$/],
      [["tms-5-2-spd", "--sampler", "gredy"], 2, /^mechanist: sampler: expected greedy, got gredy\n$/],
      [["tms-5-2-spd", "--alpha", "0"], 2, /^mechanist: cluster alpha: expected number to be >0, got 0\n$/],
    ];
    for (const [args, status, line] of wrong) {
      const ended = await command(dir, "cluster", ...args);
      expect([ended.status, ended.stdout]).toEqual([status, ""]);
      expect(ended.stderr).toMatch(line);
    }
    writeFileSync(join(dir, "runs", "tms-5-2-spd", "clusters.json"), "{");
    const torn = await command(dir, "cluster", "tms-5-2-spd", "--resume");
    expect([torn.status, torn.stderr]).toEqual([
      3,
      `mechanist: ${join(dir, "runs", "tms-5-2-spd", "clusters.json")}: expected JSON, got something half-written\n`,
    ]);
  });
});
