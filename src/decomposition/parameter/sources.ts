/** stub */
import { axisSize, cast, greater, mul, sub, type Tensor, uniform } from "../../tensor/index.ts";
import { maskFrom } from "./mask.ts";
export function randomMask(g: Tensor<"C batch">, name: string, sampling: "uniform" | "binomial"): Tensor<"C batch"> {
  const sizes = { C: axisSize(g, "C"), batch: axisSize(g, "batch") };
  const source = uniform(name, "C batch", sizes);
  if (sampling === "uniform") return maskFrom(g, source);
  const lowered = sub(mul(g, 1.05), mul(uniform(`${name}/u`, "C batch", sizes), 0.05));
  return maskFrom(lowered, cast(greater(source, 0.5), "f32") as Tensor);
}
