/** Before tests that run the command: builds it once, rather than in the first of them. */
import { buildLibrary } from "./build.js";

/** Vitest's global setup. */
export async function setup() {
  await buildLibrary();
}
