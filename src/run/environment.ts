/** Where a run is done. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import type { RunEnvironment } from "./document.ts";

const require = createRequire(import.meta.url);

function versionIn(path: string | URL): string {
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

/** This package's version. */
export function mechanistVersion(): string {
  // As far up from src/run as from dist/run.
  return versionIn(new URL("../../package.json", import.meta.url));
}

/** This machine, as a run notes it. */
export function environment(device: string, threads: number | undefined): RunEnvironment {
  return {
    mechanist: mechanistVersion(),
    node: process.versions.node,
    onnxruntime: versionIn(require.resolve("onnxruntime-node/package.json")),
    platform: process.platform,
    arch: process.arch,
    cpus: availableParallelism(),
    device,
    threads: threads ?? null,
  };
}
