/** A traced program made ready to run on a device: simplified, lowered to ONNX, loaded into a session. */
import { MechanistError } from "../error.ts";
import { sizeOf } from "../tensor/axes.ts";
import type { Key } from "../tensor/random.ts";
import type { NodeOf, Tensor } from "../tensor/tensor.ts";
import { inTopologicalOrder } from "../tensor/traverse.ts";
import { defaultDevice, type Device, featuresOf } from "./device.ts";
import { ELEMENT_OF, Emitter } from "./onnx/emitter.ts";
import { narrow } from "./narrow.ts";
import { lower } from "./onnx/lower.ts";
import { encodeModel, type ValueInfo } from "./onnx/proto.ts";
import { drawUniform } from "./randomness.ts";
import { createSession, type Session, toOrt } from "./runtime.ts";
import { simplify } from "./simplify.ts";
import { expectFit, type NamedValues, type NumberArray, type Values } from "./values.ts";

/** Where and how a program runs. */
export interface CompileOptions {
  readonly device?: Device;
  /** Threads within one operation; absent, ONNX Runtime decides. */
  readonly threads?: number;
}

/** A program that is ready to run. */
export interface Executable<O extends Readonly<Record<string, Tensor>>> {
  /**
   * Runs it once.
   *
   * @param feeds the program's inputs, by name
   * @param key   where its uniform draws come from; needed only by programs that draw
   */
  run(feeds?: NamedValues, key?: Key): Promise<{ [K in keyof O]: Values }>;
  /** Frees what the device holds. */
  dispose(): Promise<void>;
}

/** Compiles a program with named outputs. */
export async function compile<O extends Readonly<Record<string, Tensor>>>(
  outputs: O,
  options: CompileOptions = {},
): Promise<Executable<O>> {
  const device = options.device ?? defaultDevice();
  const simple = narrow(simplify(outputs));
  const inputs = inputsOf(Object.values(simple));
  const model = encodeProgram(simple, inputs, device);
  const session = await createSession(model, { ...options, device });
  return new SessionExecutable(session, simple, inputs);
}

/** The inputs that some tensors need, in a fixed order; two that share a name must be the same one. */
export function inputsOf(outputs: readonly Tensor[]): NodeOf<"input">[] {
  const found = inTopologicalOrder(outputs).filter((x): x is NodeOf<"input"> => x.op === "input");
  const names = new Set<string>();
  for (const { attributes } of found) {
    if (names.has(attributes.name)) {
      throw new MechanistError("BadArgument", `compile: two different inputs are called ${attributes.name}`);
    }
    names.add(attributes.name);
  }
  return found;
}

/** The graph's name for a program's input. */
export const inputName = (x: NodeOf<"input">): string => `in:${x.attributes.name}`;

/** The description of a program's input in a graph. */
export function inputInfo(x: NodeOf<"input">): ValueInfo {
  return { name: inputName(x), element: ELEMENT_OF[x.dtype], dims: x.shape };
}

function encodeProgram(
  outputs: Readonly<Record<string, Tensor>>,
  inputs: readonly NodeOf<"input">[],
  device: Device,
): Uint8Array {
  const emitter = new Emitter(featuresOf(device));
  const lowered = lower(emitter, Object.values(outputs), (x) => ({ name: inputName(x), dims: x.shape }));
  const infos = Object.entries(outputs).map(([name, x]) => {
    return { name: `out:${name}`, element: ELEMENT_OF[x.dtype], dims: x.shape };
  });
  return encodeModel({
    name: "program",
    nodes: emitter.nodesFor(lowered.map(({ name }, i) => [name, infos[i]!.name])),
    initializers: emitter.initializers,
    inputs: inputs.map(inputInfo),
    outputs: infos,
  });
}

class SessionExecutable<O extends Readonly<Record<string, Tensor>>> implements Executable<O> {
  readonly #session: Session;
  readonly #outputs: O;
  readonly #inputs: readonly NodeOf<"input">[];

  constructor(session: Session, outputs: O, inputs: readonly NodeOf<"input">[]) {
    this.#session = session;
    this.#outputs = outputs;
    this.#inputs = inputs;
  }

  async run(feeds: NamedValues = {}, key?: Key): Promise<{ [K in keyof O]: Values }> {
    const given: Record<string, Awaited<ReturnType<typeof toOrt>>> = {};
    for (const x of this.#inputs) given[inputName(x)] = await toOrt(x.dtype, x.shape, numbersFor(x, feeds, key));
    const results = await this.#session.run(given);
    return Object.fromEntries(
      Object.entries(this.#outputs).map(([name, { axes, shape, dtype }]) => [
        name,
        { axes, shape, dtype, data: results[`out:${name}`]!.data as NumberArray },
      ]),
    ) as { [K in keyof O]: Values };
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}

function numbersFor(x: NodeOf<"input">, feeds: NamedValues, key: Key | undefined): NumberArray {
  const { name, source } = x.attributes;
  if (source === "given") {
    const given = feeds[name];
    expectFit(name, x, given);
    return given.data;
  }
  if (key === undefined) throw new MechanistError("BadArgument", `run: the program draws ${name}, so it needs a key`);
  return drawUniform(key, name, new Float32Array(sizeOf(x.shape)));
}
