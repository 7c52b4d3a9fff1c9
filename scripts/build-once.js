/** Before tests that run the command or look at the page: builds both once, rather than in the first of them. */
import { buildLibrary, buildPage } from "./build.js";

/** Vitest's global setup. */
export async function setup() {
  await buildLibrary();
  await buildPage();
}
