/**
 * Programs that are run many times, each time from the state the last one left: training.
 *
 * On a processor the whole run of several steps is one call: the step is the body of an ONNX `Scan`, whose state never
 * leaves ONNX Runtime between steps. Elsewhere, and where one step draws so many numbers that several would not fit, each step is a call of its
 * own: a `Scan` of one step would only copy the state. The state lives in two sets of buffers that take turns, so
 * that nothing is allocated from step to step.
 */
import { MechanistError } from "../error.ts";
import { sizeOf } from "../tensor/axes.ts";
import type { Key } from "../tensor/random.ts";
import type { NodeOf, Tensor } from "../tensor/tensor.ts";
import { type CompileOptions, inputInfo, inputName, inputsOf } from "./compile.ts";
import { defaultDevice, type Device, featuresOf, isProcessor } from "./device.ts";
import { ELEMENT_OF, Emitter, type OnnxValue } from "./onnx/emitter.ts";
import { lower } from "./onnx/lower.ts";
import { productFlops } from "./flops.ts";
import { bytesOf, peakBytes } from "./memory.ts";
import { encodeModel, type Graph } from "./onnx/proto.ts";
import { drawUniform } from "./randomness.ts";
import { createSession, type OrtTensor, runInto, type Session, toOrt } from "./runtime.ts";
import { simplify } from "./simplify.ts";
import { arrayFor, expectFit, type NamedValues, type NumberArray } from "./values.ts";

/** One step: how the state changes, and what is reported. */
export interface StepProgram {
  /** Inputs that carry over, with what each becomes. */
  readonly state: Readonly<Record<string, { readonly now: Tensor; readonly next: Tensor }>>;
  /** Scalars to report from each step. */
  readonly metrics: Readonly<Record<string, Tensor<"">>>;
  /** Names of inputs that stay the same for all steps; other given inputs are scalars that differ from step to step. */
  readonly fixed?: readonly string[];
}

/** What one step is given. */
export interface StepInputs {
  readonly key: Key;
  readonly scalars: Readonly<Record<string, number>>;
}

/** How long the parts of a call took, in milliseconds. */
export interface StepTiming {
  /** Inside ONNX Runtime. */
  session: number;
  /** Drawing random numbers. */
  random: number;
  /** All of it. */
  total: number;
}

/** A compiled step with its state. */
export interface Stepper {
  /** How many steps one call takes at most. */
  readonly stepsPerCall: number;
  /** Takes `inputs.length` steps, at most `stepsPerCall`; answers each metric's value at each of them. */
  advance(inputs: readonly StepInputs[]): Promise<Record<string, Float32Array>>;
  /** Puts other numbers in the place of inputs that stay the same from step to step. */
  refill(fixed: NamedValues): Promise<void>;
  /** A copy of the state as it is now. */
  state(): NamedValues;
  /** Time spent since the start. */
  readonly timing: StepTiming;
  /** What it was predicted to take beside what the process had: state, draws, and what a step computes. */
  readonly memoryBytes: number;
  /** Floating-point operations of a step's products. */
  readonly flopsPerStep: number;
  dispose(): Promise<void>;
}

export interface StepperOptions extends CompileOptions {
  readonly initial: NamedValues;
  readonly fixed?: NamedValues;
  readonly stepsPerCall?: number;
  /** Bytes; steps that need more are refused before anything is loaded. */
  readonly memoryLimit?: number;
  /** See `SessionOptions.profile`. */
  readonly profile?: string;
}

/** At most this many random numbers are drawn ahead: 16 MiB of them. */
const MOST_DRAWN = 4_194_304;
const MOST_STEPS = 32;

interface Parts {
  readonly state: readonly { readonly name: string; readonly now: NodeOf<"input">; readonly next: Tensor }[];
  readonly metrics: readonly { readonly name: string; readonly value: Tensor }[];
  readonly fixed: readonly NodeOf<"input">[];
  readonly perStep: readonly NodeOf<"input">[];
}

/** Compiles a step and loads its first state. */
export async function compileSteps(program: StepProgram, options: StepperOptions): Promise<Stepper> {
  const device = options.device ?? defaultDevice();
  const parts = takeApart(program);
  const drawn = parts.perStep.reduce((total, x) => total + sizeOf(x.shape), 0);
  const affordable = Math.max(1, Math.floor(MOST_DRAWN / Math.max(1, drawn)));
  const stepsPerCall = isProcessor(device) ? Math.min(options.stepsPerCall ?? MOST_STEPS, affordable) : 1;
  const looped = stepsPerCall > 1;
  const memoryBytes = memoryOf(parts, stepsPerCall);
  if (memoryBytes > (options.memoryLimit ?? Infinity)) throw tooLarge(memoryBytes, options.memoryLimit!);
  const model = encodeModel(looped ? loopGraph(parts, device) : stepGraph(parts, device));
  const session = await createSession(model, { ...options, device });
  const flopsPerStep = productFlops(computedBy(parts));
  return SessionStepper.create(session, parts, options, { stepsPerCall, looped, memoryBytes, flopsPerStep });
}

/** What steps will take: state as it starts and in two sets of buffers, fixed inputs, draws, and what a step computes. */
function memoryOf(parts: Parts, stepsPerCall: number): number {
  const total = (inputs: readonly Tensor[]): number => inputs.reduce((sum, x) => sum + bytesOf(x), 0);
  const state = total(parts.state.map(({ now }) => now));
  const computed = peakBytes(computedBy(parts));
  // A loop hands its state from step to step through two more sets; a single step writes it where it belongs.
  const sets = stepsPerCall > 1 ? 5 : 3;
  return sets * state + total(parts.fixed) + stepsPerCall * total(parts.perStep) + computed;
}

/** What a step makes: its next state, and its metrics. */
const computedBy = ({ state, metrics }: Parts): Tensor[] => [
  ...state.map(({ next }) => next),
  ...metrics.map(({ value }) => value),
];

function tooLarge(needed: number, limit: number): MechanistError {
  const [expected, got] = [limit, needed].map((bytes) => `${Number((bytes / 2 ** 30).toPrecision(3))} GiB`);
  const message = `memory: expected steps that need at most ${expected}, got some that need about ${got}`;
  return new MechanistError("Refused", message, { needed, limit });
}

function takeApart(program: StepProgram): Parts {
  const outputs: Record<string, Tensor> = {};
  for (const [name, { next }] of Object.entries(program.state)) outputs[`state:${name}`] = next;
  for (const [name, value] of Object.entries(program.metrics)) outputs[`metric:${name}`] = value;
  const simple = simplify(outputs);
  const states = Object.entries(program.state).map(([name, { now }]) => {
    if (now.op !== "input") throw new MechanistError("BadArgument", `steps: state ${name} must be an input`);
    return { name, now: now as NodeOf<"input">, next: simple[`state:${name}`]! };
  });
  const carried = new Set(states.map((s) => inputName(s.now)));
  const others = inputsOf(Object.values(simple)).filter((x) => !carried.has(inputName(x)));
  const isFixed = (x: NodeOf<"input">): boolean => program.fixed?.includes(x.attributes.name) ?? false;
  return {
    state: states,
    metrics: Object.keys(program.metrics).map((name) => ({ name, value: simple[`metric:${name}`]! })),
    fixed: others.filter(isFixed),
    perStep: others.filter((x) => !isFixed(x)),
  };
}

/** The step's nodes, with outputs `next:…` and `metric:…`. */
function lowerStep(parts: Parts, device: Device, prefix: string): Pick<Graph, "nodes" | "initializers"> {
  const emitter = new Emitter(featuresOf(device), prefix);
  const given = (x: NodeOf<"input">): OnnxValue => ({
    name: parts.fixed.includes(x) ? inputName(x) : prefix + inputName(x),
    dims: x.shape,
  });
  const outputs = [...parts.state.map((s) => s.next), ...parts.metrics.map((m) => m.value)];
  const names = [...parts.state.map((s) => `next:${s.name}`), ...parts.metrics.map((m) => `metric:${m.name}`)];
  const lowered = lower(emitter, outputs, given);
  const nodes = emitter.nodesFor(lowered.map(({ name }, i) => [name, prefix + names[i]!]));
  return { nodes, initializers: emitter.initializers };
}

const stateInfo = (x: Tensor, name: string): Graph["inputs"][number] => ({
  name,
  element: ELEMENT_OF[x.dtype],
  dims: x.shape,
});

function stepGraph(parts: Parts, device: Device): Graph {
  return {
    name: "step",
    ...lowerStep(parts, device, ""),
    inputs: [...parts.state.map((s) => s.now), ...parts.perStep, ...parts.fixed].map(inputInfo),
    outputs: [
      ...parts.state.map((s) => stateInfo(s.next, `next:${s.name}`)),
      ...parts.metrics.map((m) => stateInfo(m.value, `metric:${m.name}`)),
    ],
  };
}

function loopGraph(parts: Parts, device: Device): Graph {
  const prefix = "step/";
  const inside = [...parts.state.map((s) => s.now), ...parts.perStep];
  const outputs = [
    ...parts.state.map((s) => stateInfo(s.next, `next:${s.name}`)),
    ...parts.metrics.map((m) => stateInfo(m.value, `metric:${m.name}`)),
  ];
  const body: Graph = {
    name: "step",
    ...lowerStep(parts, device, prefix),
    inputs: inside.map((x) => ({ ...inputInfo(x), name: prefix + inputName(x) })),
    outputs: outputs.map((o) => ({ ...o, name: prefix + o.name })),
  };
  const stacked = parts.perStep.map(inputInfo).map((info) => ({ ...info, dims: ["steps", ...info.dims] }));
  return {
    name: "steps",
    nodes: [
      {
        op: "Scan",
        domain: "",
        inputs: inside.map(inputName),
        outputs: outputs.map((o) => o.name),
        attributes: { num_scan_inputs: parts.perStep.length, body: { graph: body } },
      },
    ],
    initializers: [],
    inputs: [...parts.state.map((s) => inputInfo(s.now)), ...stacked, ...parts.fixed.map(inputInfo)],
    outputs: outputs.map((o, i) => (i < parts.state.length ? o : { ...o, dims: ["steps"] })),
  };
}

/** What was settled about a program before it was loaded. */
interface Plan extends Pick<Stepper, "stepsPerCall" | "memoryBytes" | "flopsPerStep"> {
  /** Whether one call takes several steps. */
  readonly looped: boolean;
}

class SessionStepper implements Stepper {
  readonly stepsPerCall: number;
  readonly memoryBytes: number;
  readonly flopsPerStep: number;
  readonly timing: StepTiming = { session: 0, random: 0, total: 0 };
  readonly #session: Session;
  readonly #parts: Parts;
  readonly #looped: boolean;
  readonly #fixed: Record<string, OrtTensor> = {};
  /** Two sets of buffers for the state; each call reads one and writes the other. */
  #current: Record<string, OrtTensor>;
  #spare: Record<string, OrtTensor>;
  readonly #stacks: Map<NodeOf<"input">, NumberArray>;

  private constructor(
    session: Session,
    parts: Parts,
    { looped, stepsPerCall, memoryBytes, flopsPerStep }: Plan,
    buffers: readonly [Record<string, OrtTensor>, Record<string, OrtTensor>],
  ) {
    this.#session = session;
    this.#parts = parts;
    this.#looped = looped;
    this.stepsPerCall = stepsPerCall;
    this.memoryBytes = memoryBytes;
    this.flopsPerStep = flopsPerStep;
    [this.#current, this.#spare] = buffers;
    this.#stacks = new Map(parts.perStep.map((x) => [x, arrayFor(x.dtype, stepsPerCall * sizeOf(x.shape))]));
  }

  static async create(session: Session, parts: Parts, options: StepperOptions, plan: Plan): Promise<Stepper> {
    const current: Record<string, OrtTensor> = {};
    const spare: Record<string, OrtTensor> = {};
    for (const { name, now } of parts.state) {
      const first = options.initial[name];
      expectFit(name, now, first);
      const held = arrayFor(now.dtype, sizeOf(now.shape));
      held.set(first.data);
      current[name] = await toOrt(now.dtype, now.shape, held);
      spare[name] = await toOrt(now.dtype, now.shape, arrayFor(now.dtype, sizeOf(now.shape)));
    }
    const stepper = new SessionStepper(session, parts, plan, [current, spare]);
    await stepper.#fix(parts.fixed, options.fixed ?? {});
    return stepper;
  }

  async refill(fixed: NamedValues): Promise<void> {
    await this.#fix(
      this.#parts.fixed.filter((x) => fixed[x.attributes.name] !== undefined),
      fixed,
    );
  }

  async #fix(inputs: readonly NodeOf<"input">[], fixed: NamedValues): Promise<void> {
    for (const x of inputs) {
      const given = fixed[x.attributes.name];
      expectFit(x.attributes.name, x, given);
      this.#fixed[inputName(x)] = await toOrt(x.dtype, x.shape, given.data);
    }
  }

  async advance(inputs: readonly StepInputs[]): Promise<Record<string, Float32Array>> {
    const start = performance.now();
    const count = inputs.length;
    if (count < 1 || count > this.stepsPerCall) {
      throw new MechanistError("BadArgument", `steps: expected 1 to ${this.stepsPerCall} steps a call, got ${count}`);
    }
    this.#fill(inputs);
    const feeds: Record<string, OrtTensor> = { ...this.#fixed };
    for (const { name, now } of this.#parts.state) feeds[inputName(now)] = this.#current[name]!;
    for (const [x, stack] of this.#stacks) {
      const dims = this.#looped ? [count, ...x.shape] : x.shape;
      feeds[inputName(x)] = await toOrt(x.dtype, dims, stack.subarray(0, count * sizeOf(x.shape)));
    }
    const fetches: Record<string, OrtTensor> = {};
    for (const { name } of this.#parts.state) fetches[`next:${name}`] = this.#spare[name]!;
    for (const { name } of this.#parts.metrics) {
      fetches[`metric:${name}`] = await toOrt("f32", this.#looped ? [count] : [], new Float32Array(count));
    }
    const before = performance.now();
    const results = await runInto(this.#session, feeds, fetches);
    this.timing.session += performance.now() - before;
    this.#spare = this.#current;
    this.#current = Object.fromEntries(this.#parts.state.map(({ name }) => [name, results[`next:${name}`]!]));
    const metrics = Object.fromEntries(
      this.#parts.metrics.map(({ name }) => [name, results[`metric:${name}`]!.data as Float32Array]),
    );
    this.timing.total += performance.now() - start;
    return metrics;
  }

  /** Draws each step's random numbers and writes its scalars, each into its place in the stack. */
  #fill(inputs: readonly StepInputs[]): void {
    const start = performance.now();
    for (const [x, stack] of this.#stacks) {
      const { name, source } = x.attributes;
      const size = sizeOf(x.shape);
      inputs.forEach(({ key, scalars }, i) => {
        if (source === "uniform") {
          drawUniform(key, name, (stack as Float32Array).subarray(i * size, (i + 1) * size));
        } else {
          const value = scalars[name];
          if (value === undefined)
            throw new MechanistError("BadArgument", `steps: expected a number for ${name}, got none`);
          stack[i] = value;
        }
      });
    }
    this.timing.random += performance.now() - start;
  }

  state(): NamedValues {
    return Object.fromEntries(
      this.#parts.state.map(({ name, now }) => {
        const { axes, shape, dtype } = now;
        return [name, { axes, shape, dtype, data: (this.#current[name]!.data as Float32Array).slice() }];
      }),
    );
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}
