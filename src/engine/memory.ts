/**
 * How much memory a program's values take while it runs, as ONNX Runtime 1.30 plans it.
 *
 * Nodes are computed in the order of a depth-first search from the last output backwards, latest operand first (`GraphViewer`). An
 * element-by-element operation writes over an operand of its own shape that nobody reads afterwards, and what only gets another shape is not
 * copied. A buffer whose value is no longer read is kept for the next value of the same shape, if there will be one, and given back otherwise
 * (`AllocationPlanner`).
 */
import { sizeOf } from "../tensor/axes.ts";
import type { OpName } from "../tensor/op.ts";
import type { DType, Tensor } from "../tensor/tensor.ts";
import { inTopologicalOrder } from "../tensor/traverse.ts";

const BYTES: Readonly<Record<DType, number>> = { f32: 4, i32: 4, bool: 1 };

/** The memory that a tensor's numbers take. */
export function bytesOf({ dtype, shape }: Pick<Tensor, "dtype" | "shape">): number {
  return BYTES[dtype] * sizeOf(shape);
}

const SAME_NUMBERS: ReadonlySet<OpName> = new Set<OpName>(["identity", "rename", "reshape"]);
const IN_PLACE: ReadonlySet<OpName> = new Set<OpName>([
  ...(["neg", "abs", "sign", "floor", "exp", "log", "sqrt", "reciprocal", "erf", "tanh", "sigmoid", "relu"] as const),
  ...(["sin", "cos", "not", "add", "sub", "mul", "div", "clamp", "softmax", "logSoftmax"] as const),
]);

/** A piece of memory that one value after another lies in, from the first node that writes to it to the last that reads it. */
interface Buffer {
  readonly bytes: number;
  readonly first: number;
  last: number;
}

/** What ONNX Runtime's arena takes over what lies in it, for the gaps between pieces of many sizes: 9 to 18 % on five programs, measured. */
const GAPS = 1.15;

/**
 * The most bytes that the values between inputs and outputs take at once. Neither inputs nor outputs are among them: they lie elsewhere.
 *
 * @param outputs of a simplified program
 */
export function peakBytes(outputs: readonly Tensor[]): number {
  return Math.round(GAPS * mostAtOnce(buffersOf(outputs)));
}

/** The buffers of a program, in the order in which they are first needed. */
function buffersOf(outputs: readonly Tensor[]): Buffer[] {
  const order = executionOrder(outputs);
  // What shares its numbers with what it is made of is read as long as any of them is.
  const holderOf = new Map<Tensor, Tensor>();
  const holder = (x: Tensor): Tensor => holderOf.get(x) ?? x;
  const lastRead = new Map<Tensor, number>();
  order.forEach((node, at) => {
    if (SAME_NUMBERS.has(node.op)) holderOf.set(node, holder(node.inputs[0]!));
    for (const input of node.inputs) lastRead.set(holder(input), at);
  });
  const elsewhere = new Set(outputs.map(holder));
  const buffers: Buffer[] = [];
  const bufferOf = new Map<Tensor, Buffer>();
  const free = new Map<string, Buffer[]>();
  const shapeOf = ({ dtype, shape }: Tensor): string => `${dtype} ${shape.join()}`;
  order.forEach((node, at) => {
    if (SAME_NUMBERS.has(node.op) || elsewhere.has(node) || !isMade(node)) return;
    const dying = [...new Set(node.inputs.map(holder))].filter((x) => bufferOf.has(x) && lastRead.get(x) === at);
    const over = IN_PLACE.has(node.op) ? dying.find((x) => shapeOf(x) === shapeOf(node)) : undefined;
    const kept = over === undefined ? free.get(shapeOf(node))?.pop() : bufferOf.get(over)!;
    const buffer = kept ?? { bytes: bytesOf(node), first: at, last: at };
    if (kept === undefined) buffers.push(buffer);
    buffer.last = Math.max(at, lastRead.get(node) ?? at);
    bufferOf.set(node, buffer);
    for (const x of dying) {
      if (x === over) continue;
      const list = free.get(shapeOf(x)) ?? [];
      free.set(shapeOf(x), [...list, bufferOf.get(x)!]);
    }
  });
  return buffers;
}

function mostAtOnce(buffers: readonly Buffer[]): number {
  const changes = buffers.flatMap(({ bytes, first, last }) => [
    { at: first, by: bytes },
    { at: last + 1, by: -bytes },
  ]);
  let [live, most] = [0, 0];
  // Of what happens at one node giving back comes first: it is what the node before it no longer needs.
  for (const { by } of changes.sort((a, b) => a.at - b.at || a.by - b.by)) {
    live += by;
    most = Math.max(most, live);
  }
  return most;
}

/** Whether running the program makes it. Small constants count for nothing. */
const isMade = (x: Tensor): boolean => x.op !== "input" && !(x.op === "constant" && sizeOf(x.shape) < 65_536);

/** The order in which ONNX Runtime computes nodes. */
function executionOrder(outputs: readonly Tensor[]): Tensor[] {
  const nodes = inTopologicalOrder(outputs);
  const index = new Map(nodes.map((node, i) => [node, i]));
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  const read = new Set(nodes.flatMap((node) => node.inputs));
  const byIndex = (all: Iterable<Tensor>): Tensor[] => [...new Set(all)].sort((a, b) => index.get(a)! - index.get(b)!);
  const stack = byIndex(outputs.filter((x) => !read.has(x))).map((node) => ({ node, done: false }));
  while (stack.length > 0) {
    const { node, done } = stack.pop()!;
    if (done) {
      order.push(node);
      continue;
    }
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push({ node, done: true });
    for (const input of byIndex(node.inputs)) if (!seen.has(input)) stack.push({ node: input, done: false });
  }
  return order;
}
