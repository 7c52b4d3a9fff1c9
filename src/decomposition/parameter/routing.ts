/** stub */
import { add, axisSize, cast, floor, less, mul, scalar, type Tensor, uniform } from "../../tensor/index.ts";
export function subsetRoutes(
  name: string,
  sites: readonly string[],
  batch: number,
  probability?: number,
): Readonly<Record<string, Tensor<"batch">>> {
  const draw = (what: string): Tensor<"batch"> => uniform(`${name}/${what}`, "batch", { batch });
  if (probability !== undefined)
    return Object.fromEntries(
      sites.map((site) => [site, cast(less(draw(site), probability), "f32") as Tensor<"batch">]),
    );
  const k = add(floor(mul(draw("k"), sites.length)), 1);
  const noise = sites.map(draw);
  return Object.fromEntries(
    sites.map((site, i) => {
      const rank = noise
        .filter((_, j) => j !== i)
        .map((other) => cast(less(other, noise[i]!), "f32") as Tensor)
        .reduce((a, b) => add(a, b) as Tensor, scalar(0));
      return [site, cast(less(rank, k as Tensor) as Tensor, "f32") as Tensor<"batch">];
    }),
  );
}
void axisSize;
