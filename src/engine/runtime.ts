/** ONNX Runtime: the native one under Node, the WebAssembly and WebGPU one in a browser. Loaded when first needed. */
import type * as Ort from "onnxruntime-common";
import { type Device, inNode, unavailable } from "./device.ts";
import { arrayFor, type NumberArray, type Values } from "./values.ts";

export type Session = Ort.InferenceSession;
export type OrtTensor = Ort.Tensor;

let loading: Promise<typeof Ort> | undefined;

// Under Node the name is a variable so that bundlers for the browser do not follow it.
const NODE_RUNTIME = "onnxruntime-node";

function runtime(): Promise<typeof Ort> {
  loading ??= inNode ? import(/* @vite-ignore */ NODE_RUNTIME) : (import("onnxruntime-web") as Promise<typeof Ort>);
  return loading;
}

/**
 * How a session is made.
 *
 * `threads` is how many threads one operation may use; absent, ONNX Runtime decides. The same program on the same device with the same
 * number of threads gives the same bits; another number may split sums elsewhere.
 */
export interface SessionOptions {
  readonly device: Device;
  readonly threads?: number;
  /** Where ONNX Runtime writes a trace of every kernel, for benchmarks. */
  readonly profile?: string;
}

/** A session over a model's bytes. */
export async function createSession(model: Uint8Array, options: SessionOptions): Promise<Session> {
  const ort = await runtime();
  const { device, threads, profile } = options;
  if (!inNode) {
    // Cross-origin isolation is what threads need in a page; without it ONNX Runtime would only warn.
    ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? (threads ?? 0) : 1;
  }
  try {
    return await ort.InferenceSession.create(model, {
      executionProviders: [device],
      graphOptimizationLevel: "all",
      executionMode: "sequential",
      logSeverityLevel: 3,
      ...(threads !== undefined && { intraOpNumThreads: threads }),
      ...(profile !== undefined && { enableProfiling: true, profileFilePrefix: profile }),
    });
  } catch (cause) {
    if (device === "cpu" || device === "wasm") throw cause;
    throw unavailable(device, cause);
  }
}

/**
 * Runs a session and answers its outputs, in the given tensors where ONNX Runtime can write into them. The native one can; the
 * WebAssembly one would leave them as they were, so there the outputs are new tensors.
 */
export async function runInto(
  session: Session,
  feeds: Record<string, OrtTensor>,
  outputs: Record<string, OrtTensor>,
): Promise<Readonly<Record<string, OrtTensor>>> {
  return inNode ? session.run(feeds, outputs) : session.run(feeds, Object.keys(outputs));
}

const ORT_TYPE = { f32: "float32", i32: "int32", bool: "bool" } as const;

/** Wraps numbers for ONNX Runtime without copying, except from float64. */
export async function toOrt(dtype: Values["dtype"], dims: readonly number[], data: NumberArray): Promise<OrtTensor> {
  const ort = await runtime();
  const held = data instanceof Float64Array ? convert(dtype, data) : data;
  return new ort.Tensor(ORT_TYPE[dtype], held as Float32Array, dims);
}

function convert(dtype: Values["dtype"], data: Float64Array): NumberArray {
  const out = arrayFor(dtype, data.length);
  out.set(data);
  return out;
}
