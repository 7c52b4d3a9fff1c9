/** A program made ready on a device, or in the float64 arbiter: what every question to a decomposition is answered with. */
import { compile, type CompileOptions, type Device, type Executable, interpret } from "../engine/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** Where and how programs run; `float64` is the arbiter: slow, and right. */
export interface ProgramOptions extends Omit<CompileOptions, "device"> {
  readonly device?: Device | "float64";
}

/** What callers of something that takes time may ask of it. */
export interface WorkOptions extends ProgramOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, all: number) => void;
}

type Outputs = Readonly<Record<string, Tensor>>;

/** Outputs under a name of their own, `prefix/name`, so that those of several kinds fit in one program. */
export function prefixed(prefix: string, outputs: Outputs): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(outputs).map(([name, output]) => [`${prefix}/${name}`, output]));
}

/** Compiles a program, or keeps it for the arbiter. */
export async function prepare<O extends Outputs>(
  outputs: O,
  { device, threads }: ProgramOptions,
): Promise<Executable<O>> {
  if (device === "float64") {
    return { run: async (feeds = {}, key) => interpret(outputs, feeds, key), dispose: async () => undefined };
  }
  return compile(outputs, { ...(device && { device }), ...(threads && { threads }) });
}

/** Runs a program once. */
export async function computed<O extends Outputs>(
  outputs: O,
  feeds: Parameters<Executable<O>["run"]>[0],
  options: ProgramOptions,
): ReturnType<Executable<O>["run"]> {
  const program = await prepare(outputs, options);
  try {
    return await program.run(feeds);
  } finally {
    await program.dispose();
  }
}
