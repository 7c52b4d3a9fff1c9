/**
 * Makes `dist/` from `src/`: the library and command line by `tsc`, the page by Vite. Plain JavaScript, because a clone has
 * nothing built yet when it runs; and not an install script, because those are never run here.
 *
 *     node scripts/build.js     everything that has changed
 *
 * `bin/mechanist.js` calls `buildLibrary` and `buildPage`, which do nothing when the sources have not changed.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { argv, execPath, stderr } from "node:process";
import { fileURLToPath } from "node:url";
import { fingerprint, isFresh, note } from "./fresh.js";
import { withLock } from "./lock.js";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
const require = createRequire(import.meta.url);

const LIBRARY = ["src", "tsconfig.json", "tsconfig.build.json", "package.json"];
const PAGE = ["src", "package.json"];
const notLibrary = (path) => path === "src/ui" || path.endsWith(".test.ts");
const notPage = (path) => /^src\/(cli|server)$/.test(path) || path.endsWith(".test.ts");

/** Builds the library and the command line, with type declarations, where their sources have changed. */
export async function buildLibrary() {
  const stamp = join(dist, ".library");
  if (isFresh(stamp, fingerprint(root, LIBRARY, notLibrary))) return;
  await withLock(join(dist, ".lock"), async () => {
    const state = fingerprint(root, LIBRARY, notLibrary);
    if (isFresh(stamp, state)) return;
    say("building the library (once)");
    // Elsewhere first: another process may be running what is in dist now.
    const fresh = join(dist, `.library-${process.pid}`);
    try {
      // Types are checked by `npm run types`; here only the time until somebody sees something counts.
      await execute("typescript", "bin/tsc", ["-p", "tsconfig.build.json", "--noCheck", "--outDir", fresh]);
      replace(fresh, dist);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
    note(stamp, state);
  });
}

/** Builds the page where its sources have changed. */
export async function buildPage() {
  const stamp = join(dist, ".page");
  if (isFresh(stamp, fingerprint(root, PAGE, notPage))) return;
  await withLock(join(dist, ".lock-page"), async () => {
    const state = fingerprint(root, PAGE, notPage);
    if (isFresh(stamp, state)) return;
    say("building the page (once)");
    await execute("vite", "bin/vite.js", ["build", "--config", "src/ui/vite.config.ts", "--logLevel", "warn"]);
    note(stamp, state);
  });
}

/** Moves every file of `from` over its namesake in `to`, and removes the modules that are in `to` alone. */
function replace(from, to) {
  mkdirSync(to, { recursive: true });
  const kept = new Set(["ui"]);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    kept.add(entry.name);
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) replace(source, target);
    else renameSync(source, target);
  }
  for (const name of readdirSync(to)) {
    if (!kept.has(name) && !name.startsWith(".")) rmSync(join(to, name), { recursive: true });
  }
}

/** Runs a development tool of this project; its output goes to standard error, because standard output may be somebody's JSON. */
export function execute(tool, script, args) {
  let folder;
  try {
    folder = dirname(require.resolve(`${tool}/package.json`));
  } catch {
    throw new Error(`build: expected ${tool} to be installed, got none; run npm ci`);
  }
  return new Promise((resolve, reject) => {
    const child = spawn(execPath, [join(folder, script), ...args], { cwd: root, stdio: ["ignore", 2, 2] });
    child.on("error", reject);
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`build: ${tool} ended with ${code}`))));
  });
}

function say(what) {
  if (stderr.isTTY) stderr.write(`mechanist: ${what}\n`);
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  await buildLibrary();
  if (existsSync(join(root, "src/ui/vite.config.ts"))) await buildPage();
}
