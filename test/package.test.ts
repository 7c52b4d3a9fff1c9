/** The package as somebody gets it: what is in it, what it needs, and that it works where there is nothing else of this repository. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { documentOf, SMALL_TRAINING, startProgram, until } from "./cli/command.ts";

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly engines: Readonly<Record<string, string>>;
}
interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly hasInstallScript?: boolean;
        readonly optionalDependencies?: Readonly<Record<string, string>>;
        readonly resolved?: string;
      }
    >
  >;
}
const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as Lock;

/** A folder in which the packed package is installed. */
let home: string;
let files: readonly string[];
beforeAll(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "mechanist-")));
  const packed = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", home], {
    encoding: "utf8",
  });
  const [{ filename, files: list }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
  files = list.map(({ path }) => path).sort();
  const modules = join(home, "node_modules");
  mkdirSync(modules);
  execFileSync("tar", ["-xzf", join(home, filename), "-C", modules]);
  renameSync(join(modules, "package"), join(modules, "mechanist"));
  // What npm would fetch is already here.
  for (const name of [...Object.keys(manifest.dependencies), "@types"]) {
    mkdirSync(join(modules, name, ".."), { recursive: true });
    symlinkSync(resolve("node_modules", name), join(modules, name));
  }
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe("what is in it", () => {
  test("what is built, and nothing to build it from", () => {
    const wrong = files.filter(
      (path) =>
        !/^(bin\/mechanist\.js|dist\/[\w/.-]+\.(js|d\.ts)|dist\/ui\/[\w/.-]+|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(
          path,
        ),
    );
    expect(wrong).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining([
        "bin/mechanist.js",
        "dist/index.js",
        "dist/index.d.ts",
        "dist/cli/main.js",
        "dist/ui/index.html",
      ]),
    );
    expect(files.filter((path) => /\.test\.|\/\.[^/]*$/.test(path))).toEqual([]);
  });

  test("the page asks nothing of any other host", () => {
    const page = readdirSync("dist/ui", { recursive: true, encoding: "utf8" }).filter((path) =>
      /\.(html|css|js)$/.test(path),
    );
    for (const path of page) {
      const text = readFileSync(join("dist/ui", path), "utf8");
      expect(text.match(/(src|href)="https?:|@import|url\(["']?https?:/g) ?? [], path).toEqual([]);
    }
  });
});

describe("what it needs", () => {
  test("exact versions", () => {
    const versions = Object.values({ ...manifest.dependencies, ...manifest.devDependencies });
    // Some number their releases behind a hyphen; what must not be there is a range.
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  });

  test("no install script, but two that are never run", () => {
    const scripted = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript);
    const names = scripted.map(([path]) => path.replace(/^.*node_modules\//, ""));
    // ONNX Runtime's fetches its CUDA kernels, those for the processor being in the package; protobufjs's looks at version
    // numbers. fsevents is for macOS alone.
    expect(names.filter((name) => name !== "fsevents")).toEqual(["onnxruntime-node", "protobufjs"]);
    expect(readFileSync(".npmrc", "utf8")).toContain("ignore-scripts=true");
  });

  test("the lock is whole: npm ci refuses one that lacks another system's optional package", () => {
    const locked = new Set(Object.keys(lock.packages).map((path) => path.replace(/^.*node_modules\//, "")));
    const wanted = Object.values(lock.packages).flatMap(({ optionalDependencies = {} }) =>
      Object.keys(optionalDependencies),
    );
    expect(wanted.filter((name) => !locked.has(name))).toEqual([]);
  });

  test("the lock names no place to fetch from: that is for whoever installs to choose", () => {
    expect(Object.values(lock.packages).filter(({ resolved: from }) => from !== undefined)).toEqual([]);
  });
});

describe("as it is installed", () => {
  const bin = (): string => join(home, "node_modules", "mechanist", "bin", "mechanist.js");
  const run = (...args: string[]): ReturnType<typeof startProgram> =>
    startProgram(home, process.execPath, [bin(), ...args]);

  test("every entry exists and loads", async () => {
    for (const [name, entry] of Object.entries(manifest.exports)) {
      for (const path of typeof entry === "string" ? [entry] : Object.values(entry)) {
        expect(existsSync(join(home, "node_modules", "mechanist", path)), path).toBe(true);
      }
      if (name.endsWith(".json")) continue;
      const code = `import * as all from ${JSON.stringify(join("mechanist", name))}; console.log(Object.keys(all).length)`;
      const { status, stdout, stderr } = await startProgram(home, process.execPath, ["--input-type=module", "-e", code])
        .ended;
      expect([status, stderr]).toEqual([0, ""]);
      expect(Number(stdout)).toBeGreaterThan(0);
    }
  });

  test("the command trains and serves the page", async () => {
    const trained = await run(...SMALL_TRAINING, "--json").ended;
    expect([trained.status, trained.stderr, documentOf(trained).run]).toEqual([0, "", "tms-5-2"]);
    const open = run("open", "--port", "0", "--json");
    await until(() => open.stdout().includes("}\n"), "the address");
    const page = await fetch(String(documentOf({ stdout: open.stdout() }).url));
    expect(await page.text()).toContain('<div id="app">');
    open.child.kill("SIGINT");
    expect((await open.ended).status).toBe(0);
  });

  test("its types are there for whoever compiles against it", async () => {
    writeFileSync(
      join(home, "user.ts"),
      `import { einsum, input, resolveTarget, train, type Tensor } from "mechanist";
       const x: Tensor<"batch d"> = input("x", "batch d", { batch: 2, d: 3 });
       const y: Tensor<"batch C"> = einsum("batch d, d C -> batch C", x, input("W", "d C", { d: 3, C: 4 }));
       // @ts-expect-error C is no axis of x
       einsum("batch C, d C -> batch d", x, y);
       const loss: number | undefined = (await train(resolveTarget("tms"))).metrics.loss;
       export { loss };`,
    );
    writeFileSync(join(home, "package.json"), '{"type":"module"}');
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "--types", "node"];
    const ended = await startProgram(home, process.execPath, [
      resolve("node_modules/typescript/bin/tsc"),
      ...options,
      "user.ts",
    ]).ended;
    expect([ended.stdout, ended.status]).toEqual(["", 0]);
  });
});
