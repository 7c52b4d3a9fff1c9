#!/usr/bin/env node
/** The command. In a clone it first builds what has changed; the package holds everything built. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const inClone = existsSync(fileURLToPath(new URL("../src/cli", import.meta.url)));
let preparePage;
if (inClone) {
  try {
    const build = await import("../scripts/build.js");
    await build.buildLibrary();
    preparePage = build.buildPage;
  } catch (error) {
    process.stderr.write(`mechanist: ${error.message}\n`);
    process.exit(70);
  }
}
if (!existsSync(fileURLToPath(new URL("../dist/cli/main.js", import.meta.url)))) {
  process.stderr.write("mechanist: this package was packed before it was built; npm run build, then npm pack\n");
  process.exit(70);
}
const { main } = await import("../dist/cli/main.js");
await main(process.argv.slice(2), { preparePage });
