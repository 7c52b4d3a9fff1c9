/** One builder at a time, among processes. */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Runs `work` while holding the file `path`, waiting for whoever holds it. A holder that died is passed over.
 *
 * @param {string} path
 * @param {() => Promise<void>} work
 */
export async function withLock(path, work) {
  mkdirSync(dirname(path), { recursive: true });
  while (!take(path)) {
    if (!holderLives(path)) rmSync(path, { force: true });
    else await new Promise((resolve) => setTimeout(resolve, 50));
  }
  try {
    await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function take(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

/** No build takes so long: a holder that did has died, and another process has its number now. */
const LONGEST = 180_000; // ms

function holderLives(path) {
  try {
    if (Date.now() - statSync(path).mtimeMs > LONGEST) return false;
    const pid = Number(readFileSync(path, "utf8"));
    // Empty for the moment between the file's making and its writing.
    if (pid === 0) return true;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
