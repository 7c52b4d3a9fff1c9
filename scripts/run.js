/**
 * Runs a TypeScript file of this repository, a benchmark for instance, as compiled JavaScript:
 *
 *     node scripts/run.js bench/bench.ts --json
 */
import { argv } from "node:process";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { execute, root } from "./build.js";
import { withLock } from "./lock.js";

const [script, ...args] = argv.slice(2);
const out = join(root, ".build");
await withLock(join(out, ".lock"), () =>
  execute("typescript", "bin/tsc", [
    "-p",
    "tsconfig.json",
    "--noCheck",
    "--noEmit",
    "false",
    "--declaration",
    "false",
    "--outDir",
    out,
  ]),
);
const compiled = join(out, script.replace(/\.ts$/, ".js"));
process.argv = [argv[0], compiled, ...args];
await import(pathToFileURL(compiled).href);
