/** ONNX Runtime: the native one under Node, the WebAssembly and WebGPU one in a browser. Loaded when first needed. */
import type * as Ort from "onnxruntime-common";
import { type Device, inNode, unavailable } from "./device.ts";
import { arrayFor, type NumberArray, type Values } from "./values.ts";

export type Session = Ort.InferenceSession;
export type OrtTensor = Ort.Tensor;

// Under Node the name is a variable so that bundlers for the browser do not follow it.
const NODE_RUNTIME = "onnxruntime-node";

/**
 * The builds of ONNX Runtime. The main entry of the browser's package is neither of the two here: it brings both devices with the
 * older WebGPU kernels, which leave more operations to the processor and then mix up their results (1.30: `Sign` beside `Abs`).
 */
const BUILDS = {
  node: () => import(/* @vite-ignore */ NODE_RUNTIME) as Promise<typeof Ort>,
  wasm: () => import("onnxruntime-web/wasm") as Promise<typeof Ort>,
  webgpu: () => import("onnxruntime-web/webgpu") as Promise<typeof Ort>,
};

const loaded = new Map<keyof typeof BUILDS, Promise<typeof Ort>>();

/** The build for a device; without one, whichever is there, because a tensor of one build is good for all. */
function runtime(device?: Device): Promise<typeof Ort> {
  const [any] = loaded.values();
  if (device === undefined && any !== undefined) return any;
  const build = inNode ? "node" : device === "webgpu" ? "webgpu" : "wasm";
  const loading = loaded.get(build) ?? BUILDS[build]();
  loaded.set(build, loading);
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
  const { device, threads, profile } = options;
  const ort = await runtime(device);
  // What goes wrong is thrown, and told in a sentence; the native log would say it again, in its own way.
  ort.env.logLevel = "fatal";
  if (!inNode) {
    // Cross-origin isolation is what threads need in a page; without it ONNX Runtime would only warn.
    ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? (threads ?? 0) : 1;
  }
  try {
    return await ort.InferenceSession.create(model, {
      executionProviders: [device],
      graphOptimizationLevel: "all",
      executionMode: "sequential",
      // Planned memory keeps a whole step's tensors at once: 400 MB more on TMS 40-10, for 1 to 5 % of the time (measured).
      enableMemPattern: false,
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
