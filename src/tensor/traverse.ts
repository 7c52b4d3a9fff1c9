/** Walks over traced programs. */
import type { Tensor } from "./tensor.ts";

/** All tensors that the given ones need, each once, inputs before users. Depth is not bounded by the call stack. */
export function inTopologicalOrder(outputs: readonly Tensor[]): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  const stack: { tensor: Tensor; next: number }[] = [];
  for (const output of outputs) {
    if (seen.has(output)) continue;
    seen.add(output);
    stack.push({ tensor: output, next: 0 });
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const child = top.tensor.inputs[top.next++];
      if (child === undefined) {
        order.push(top.tensor);
        stack.pop();
      } else if (!seen.has(child)) {
        seen.add(child);
        stack.push({ tensor: child, next: 0 });
      }
    }
  }
  return order;
}
