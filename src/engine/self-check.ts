/** Does this machine's device tell the truth? A few programs run on it and on the float64 arbiter, and what differs is told. */
import {
  einsum,
  foldIn,
  gelu,
  gradients,
  input,
  keyFromSeed,
  layerNorm,
  logSoftmax,
  mean,
  randomNormal,
  relu,
  square,
  sub,
  tanh,
  type Tensor,
  uniform,
} from "../tensor/index.ts";
import { compile, type CompileOptions } from "./compile.ts";
import { interpret } from "./interpreter/interpret.ts";
import { type NamedValues, values } from "./values.ts";

export interface Check {
  readonly name: string;
  /** The largest difference from float64, divided by the largest value. */
  readonly error: number;
  /** What float32 may be off by. */
  readonly tolerance: number;
  readonly passed: boolean;
}

const TOLERANCE = 2e-5;
const SIZES = { batch: 64, d_model: 32, C: 48 };

function programs(): Readonly<Record<string, Readonly<Record<string, Tensor>>>> {
  const x = input("x", "batch d_model", SIZES);
  const W = input("W", "d_model C", SIZES);
  const h = einsum("batch d_model, d_model C -> batch C", x, W);
  const back = (loss: Tensor<"">): Readonly<Record<string, Tensor>> => ({ loss, gradient: gradients(loss, [W])[0]! });
  return {
    "matrix product": { h },
    activations: { gelu: gelu(h), tanh: tanh(h), relu: relu(h) },
    softmax: { logSoftmax: logSoftmax(h, "C") },
    "layer norm": { layerNorm: layerNorm(h, "C") },
    "a gradient": back(mean(square(sub(gelu(h), 1)))),
    "a gradient through layer norm": back(mean(square(sub(layerNorm(h, "C"), uniform("r", "batch C", SIZES))))),
    "random masks": { masked: sub(h, uniform("r", "batch C", SIZES)) },
  };
}

/** Runs the checks. */
export async function selfCheck(options: CompileOptions = {}): Promise<Check[]> {
  const key = keyFromSeed(1);
  const feeds: NamedValues = {
    x: values(
      "batch d_model",
      [SIZES.batch, SIZES.d_model],
      randomNormal(foldIn(key, "x"), SIZES.batch * SIZES.d_model),
    ),
    W: values("d_model C", [SIZES.d_model, SIZES.C], randomNormal(foldIn(key, "W"), SIZES.d_model * SIZES.C)),
  };
  const checks: Check[] = [];
  for (const [name, outputs] of Object.entries(programs())) {
    const expected = interpret(outputs, feeds, key);
    const executable = await compile(outputs, options);
    const got: NamedValues = await executable.run(feeds, key);
    await executable.dispose();
    const error = Math.max(
      ...Object.keys(outputs).map((output) => relativeError(got[output]!.data, expected[output]!.data)),
    );
    checks.push({ name, error, tolerance: TOLERANCE, passed: error <= TOLERANCE });
  }
  return checks;
}

function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Number.isFinite(got[i]!) ? Math.abs(got[i]! - expected[i]!) : Infinity);
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return difference / Math.max(largest, 1e-30);
}
