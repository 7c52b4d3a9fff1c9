/**
 * The flip-flop task (Sussillo & Barak 2013): each input channel now and then has a pulse of +1 or -1, and the output is to
 * hold the last pulse of each channel. Drawn by a traced program of uniform draws.
 */
import {
  abs,
  add,
  cast,
  concat,
  constant,
  less,
  maximum,
  mul,
  reshape,
  select,
  sub,
  type Tensor,
  uniform,
} from "../tensor/index.ts";
import { signs } from "./draws.ts";

export interface FlipFlopOptions {
  readonly batch: number;
  readonly pos: number;
  /** Channels, each a memory of one bit. */
  readonly bits: number;
  /** How likely a channel has a pulse at a position. */
  readonly pulseProbability: number;
}

export interface FlipFlop {
  /** f32 `batch pos bit`: -1, 0 or 1. Every channel has a pulse at position 0, so that there is always something to hold. */
  readonly pulses: Tensor<"batch pos bit">;
  /** f32 `batch pos bit`: -1 or 1, the last pulse at or before the position. */
  readonly targets: Tensor<"batch pos bit">;
}

/**
 * A batch of flip-flop sequences.
 *
 * @param name names the draws, so that two batches in one program differ
 */
export function flipFlop(name: string, { batch, pos, bits, pulseProbability }: FlipFlopOptions): FlipFlop {
  const sizes = { batch, pos, bit: bits };
  const drawn = cast(less(uniform(`${name}/pulse`, "batch pos bit", sizes), pulseProbability), "f32");
  const first = constant(
    "pos",
    { pos },
    Array.from({ length: pos }, (_, t) => Number(t === 0)),
  );
  const pulses = mul(maximum(drawn, first), signs(`${name}/sign`, "batch pos bit", sizes));
  const held: Tensor<"batch pos bit">[] = [];
  let memory: Tensor<"batch bit"> = select(pulses, "pos", 0);
  for (let t = 0; t < pos; t++) {
    const pulse = select(pulses, "pos", t);
    memory = add(mul(memory, sub(1, abs(pulse))), pulse);
    held.push(reshape(memory, "batch pos bit", { ...sizes, pos: 1 }));
  }
  return { pulses, targets: concat(held, "pos") };
}
