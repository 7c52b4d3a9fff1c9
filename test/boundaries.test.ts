/** Imports point down only, and what runs in a browser imports nothing of Node's. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, posix } from "node:path";
import { describe, expect, test } from "vitest";

/** What each layer may import, besides itself, `src/error.ts`, `src/nearest.ts` and `src/settings.ts`. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  tensor: [],
  engine: ["tensor"],
  file: ["engine", "tensor"],
  network: ["file", "engine", "tensor"],
  data: ["file", "engine", "tensor"],
  training: ["network", "data", "file", "engine", "tensor"],
  intervention: ["training", "network", "data", "file", "engine", "tensor"],
  decomposition: ["intervention", "training", "network", "data", "file", "engine", "tensor"],
  instrument: ["intervention", "training", "network", "data", "file", "engine", "tensor"],
  circuit: ["decomposition", "intervention", "training", "network", "data", "file", "engine", "tensor"],
  evidence: ["instrument", "decomposition", "intervention", "training", "network", "data", "file", "engine", "tensor"],
  harvest: ["evidence", "decomposition", "intervention", "training", "network", "data", "file", "engine", "tensor"],
  labels: [
    "harvest",
    "evidence",
    "decomposition",
    "intervention",
    "training",
    "network",
    "data",
    "file",
    "engine",
    "tensor",
  ],
  report: [
    "circuit",
    "evidence",
    "instrument",
    "decomposition",
    "intervention",
    "training",
    "network",
    "data",
    "file",
    "engine",
    "tensor",
  ],
  run: ["training", "file", "engine", "tensor"],
  server: [
    "run",
    "labels",
    "harvest",
    "circuit",
    "evidence",
    "decomposition",
    "intervention",
    "training",
    "network",
    "data",
    "file",
    "engine",
    "tensor",
  ],
  cli: [
    "server",
    "run",
    "report",
    "labels",
    "harvest",
    "circuit",
    "evidence",
    "instrument",
    "decomposition",
    "intervention",
    "training",
    "network",
    "data",
    "file",
    "engine",
    "tensor",
  ],
  ui: [
    "run",
    "labels",
    "harvest",
    "circuit",
    "evidence",
    "decomposition",
    "intervention",
    "training",
    "network",
    "data",
    "file",
    "engine",
    "tensor",
  ],
};

/** Layers whose every file runs in a browser. */
const ISOMORPHIC = [
  "tensor",
  "engine",
  "file",
  "network",
  "data",
  "training",
  "intervention",
  "instrument",
  "decomposition",
  "circuit",
  "evidence",
  "harvest",
  "labels",
  "report",
  "ui",
];
/** The files of `run` that the page uses. */
const ISOMORPHIC_FILES = ["document"].map((name) => `src/run/${name}.ts`);

interface Import {
  readonly file: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

const files = readdirSync("src", { recursive: true, encoding: "utf8" })
  .map((path) => posix.join("src", path.replaceAll("\\", "/")))
  .filter((path) => /\.(ts|svelte)$/.test(path) && !/\.(test|test-d)\.ts$|vite\.config\.ts$/.test(path));
const IMPORT =
  /(?:^|\n)\s*(import|export)\s+(type\s+)?(?:[^;"']*?\sfrom\s+)?["']([^"']+)["']|import\((?:\/\*.*?\*\/\s*)?["']([^"']+)["']\)/g;

function importsOf(file: string): Import[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(IMPORT)].map((match) => {
    const target = match[3] ?? match[4]!;
    const resolved = target.startsWith(".") ? posix.normalize(posix.join(dirname(file), target)) : target;
    return { file, target: resolved, typeOnly: match[2] !== undefined };
  });
}

const layerOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1];
const imports = files.flatMap(importsOf);

describe("layers", () => {
  test("each folder of src has its place", () => {
    const folders = new Set(files.map(layerOf).filter((layer) => layer !== undefined));
    expect([...folders].filter((folder) => !(folder in BELOW))).toEqual([]);
    expect(imports.length).toBeGreaterThan(100);
  });

  test("imports point down", () => {
    const wrong = imports.filter(({ file, target }) => {
      const [from, to] = [layerOf(file), layerOf(target)];
      return from !== undefined && to !== undefined && from !== to && !BELOW[from]!.includes(to);
    });
    expect(wrong.map(({ file, target }) => `${file} -> ${target}`)).toEqual([]);
  });

  test("runs know of training only its types", () => {
    const wrong = imports.filter(
      ({ file, target, typeOnly }) => layerOf(file) === "run" && layerOf(target) === "training" && !typeOnly,
    );
    expect(wrong.map(({ file, target }) => `${file} -> ${target}`)).toEqual([]);
  });

  test("imports name their file, and no layer is entered from above but by files that exist", () => {
    const missing = imports.filter(
      ({ target }) => target.startsWith("src/") && !files.includes(target) && !/\.(css|svg)(\?\w+)?$/.test(target),
    );
    expect(
      missing.filter(({ target }) => !target.includes("?")).map(({ file, target }) => `${file} -> ${target}`),
    ).toEqual([]);
  });

  test("nothing that runs in a browser needs Node", () => {
    const wrong = imports.filter(
      ({ file, target }) =>
        (ISOMORPHIC.includes(layerOf(file) ?? "") || ISOMORPHIC_FILES.includes(file)) &&
        !/\/node(-[\w-]+)?\.ts$/.test(file) &&
        target.startsWith("node:"),
    );
    expect(wrong.map(({ file, target }) => `${file} -> ${target}`)).toEqual([]);
  });

  test("what the page takes from runs is browser-safe", () => {
    const wrong = imports.filter(
      ({ file, target, typeOnly }) =>
        layerOf(file) === "ui" && layerOf(target) === "run" && !typeOnly && !ISOMORPHIC_FILES.includes(target),
    );
    expect(wrong.map(({ file, target }) => `${file} -> ${target}`)).toEqual([]);
  });
});

describe("the command line", () => {
  test("loads nothing but the argument parser before a command runs", () => {
    const seen = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      // What is imported by `import()` is loaded when a command runs.
      const text = readFileSync(file, "utf8").replaceAll(/import\([^)]*\)/g, "");
      for (const [, , typeOnly, target] of text.matchAll(IMPORT)) {
        if (typeOnly !== undefined || target === undefined) continue;
        if (target.startsWith(".")) visit(posix.normalize(posix.join(dirname(file), target)));
        else seen.add(target);
      }
    };
    visit("src/cli/main.ts");
    const packages = [...seen].filter((name) => !name.startsWith("src/") && !name.startsWith("node:"));
    expect(packages).toEqual(["commander"]);
    expect(
      [...seen].filter((name) => name.startsWith("src/") && !/^src\/(cli|run)\/|^src\/error\.ts$/.test(name)),
    ).toEqual([]);
  });
});
