import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { command, documentOf, emptyFolder } from "./command.ts";

const DOCUMENTED = new Set(
  [...readFileSync("docs/json.md", "utf8").matchAll(/`([\w.]+)`/g)].flatMap((m) => m[1]!.split(".")),
);

function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => (key === "settings" ? [key] : [key, ...fieldsOf(part)]));
}

interface Measured {
  readonly name: string;
  readonly found: readonly Readonly<Record<string, unknown>>[];
}

test("seeds and sizes of one network are each other's companions; every anomaly is a number or says what it needs", async () => {
  const dir = emptyFolder();
  const feature = ["--set", "features=8", "--set", "dimensions=8", "--set", "probability=0.2"];
  await command(dir, "train", "superposition", ...feature, "--out", "net");
  await command(dir, "train", "superposition", ...feature, "--seed", "9", "--out", "other");
  const quick = ["--method", "topk", "--steps", "60", "--set", "k=2", "--set", "batch=128"];
  for (const [out, net, ...set] of [
    ["a", "net", "--set", "C=12"],
    ["b", "net", "--set", "C=12", "--seed", "1"],
    ["small", "net", "--set", "C=6"],
    ["random", "other", "--set", "C=12"],
  ] as const) {
    expect((await command(dir, "decompose", net, ...quick, ...set, "--out", out)).stderr).toBe("");
  }
  const more = ["--random", "random", "--shift", "probability=0.4", "--rows", "2048", "--threads", "1"];
  const ended = await command(dir, "anomalies", "a", "b", "small", ...more, "--json");
  expect([ended.status, ended.stderr]).toEqual([0, ""]);
  const document = documentOf(ended);
  expect(fieldsOf(document).filter((field) => !DOCUMENTED.has(field))).toEqual([]);
  expect(document.runs).toHaveLength(3);
  expect(document.runs[0]).toMatchObject({
    run: "a",
    rows: 2048,
    compared: { seeds: ["b"], smaller: "small", random: "random", shift: ["probability=0.4"] },
  });
  expect(document.runs[2]!.compared).toMatchObject({ seeds: [], smaller: null });
  const measures = document.runs[0]!.measures as readonly Measured[];
  const missing = measures.filter(({ found }) => found.some((one) => "missing" in one)).map(({ name }) => name);
  expect(missing).toEqual(expect.arrayContaining(["absorption", "hedging", "composition"]));
  for (const name of ["splitting", "deadAndDense", "seedInconsistency", "randomNetwork", "usefulness"]) {
    expect(missing).not.toContain(name);
  }
  const text = await command(dir, "anomalies", "a", "--rows", "512");
  expect(text.stdout).toMatch(/^seed inconsistency +hook_hidden +– +– +needs a second seed$/m);
});

test("what does not fit is refused in one line", async () => {
  const dir = emptyFolder();
  const one = async (...args: string[]): Promise<[number | null, string]> => {
    const { status, stderr } = await command(dir, "anomalies", ...args);
    return [status, stderr.trim().replace("mechanist: ", "")];
  };
  for (const [name, seed] of [
    ["net", "0"],
    ["other", "1"],
  ] as const) {
    await command(
      dir,
      "train",
      "superposition",
      "--set",
      "features=4",
      "--set",
      "dimensions=4",
      "--seed",
      seed,
      "--out",
      name,
    );
    const quick = ["--method", "sae", "--steps", "20", "--set", "C=4", "--set", "batch=32"];
    await command(dir, "decompose", name, ...quick, "--out", `${name}-sae`);
  }
  expect(await one("net-sae", "other-sae")).toEqual([
    2,
    "anomalies: expected runs of one network, got net-sae and other-sae with other weights",
  ]);
  expect((await one("net-sae", "--random", "net-sae"))[1]).toMatch(
    /^--random: expected a decomposition of a network with random/,
  );
  expect(await one("net-sae", "--rows", "12")).toEqual([
    2,
    "--rows: expected a whole number from 256 to 1000000, got 12",
  ]);
  expect((await one("net-sae", "--shift", "probabilty=1"))[1]).toContain("probability");
  expect((await one("none"))[0]).toBe(3);
});
