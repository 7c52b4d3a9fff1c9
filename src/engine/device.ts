/** Where programs run, and a plain sentence when a machine cannot run them there. */
import { MechanistError } from "../error.ts";
import type { Features } from "./onnx/emitter.ts";

/** Under Node: `cpu`, `cuda`, `webgpu`, `coreml`, `dml`. In a browser: `wasm`, `webgpu`. */
export const DEVICES = ["cpu", "cuda", "webgpu", "coreml", "dml", "wasm"] as const;
export type Device = (typeof DEVICES)[number];

/** Whether this code runs under Node rather than in a browser. */
export const inNode: boolean = typeof process !== "undefined" && process.versions?.node !== undefined;

/** `cpu` under Node, `wasm` in a browser. */
export function defaultDevice(): Device {
  return inNode ? "cpu" : "wasm";
}

/** Which of ONNX Runtime's own operators a device's kernels include. */
export function featuresOf(device: Device): Features {
  return { fusedMatMul: device === "cpu" || device === "wasm" || device === "cuda" };
}

/** Whether the device's kernels run on this machine's processor, so that a loop in the graph costs nothing. */
export function isProcessor(device: Device): boolean {
  return device === "cpu" || device === "wasm";
}

/** The sentence for a device that this machine, or this build of ONNX Runtime, does not have. */
export function unavailable(device: Device, cause: unknown): MechanistError {
  const text = String(cause instanceof Error ? cause.message : cause).split("\n")[0]!;
  // A place in ONNX Runtime's own source tells a user nothing.
  const reason = /^\/\S+\.(cc|h):\d+/.test(text) ? "its driver did not start" : text.slice(0, 160);
  return new MechanistError(
    "Unavailable",
    `device ${device}: this machine cannot run it (${reason}); use --device ${defaultDevice()}`,
    { device },
    { cause },
  );
}
