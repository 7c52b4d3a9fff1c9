import { expect, test } from "vitest";
import { interpret, values } from "../../../engine/index.ts";
import { constant, input, keyFromSeed, randomNormal, type Tensor } from "../../../tensor/index.ts";
import { maskedProduct, overRows } from "./masked-product.ts";

const [batch, d_in, d_out, C] = [3, 4, 2, 5];
const draw = (name: string, axes: string, shape: readonly number[]): ReturnType<typeof values> =>
  values(
    axes,
    shape,
    randomNormal(
      keyFromSeed(name.charCodeAt(0)),
      shape.reduce((a, b) => a * b, 1),
    ),
  );
const feeds = {
  a: draw("a", "batch d_in", [batch, d_in]),
  V: draw("V", "d_in C", [d_in, C]),
  U: draw("U", "C d_out", [C, d_out]),
  W: draw("W", "d_in d_out", [d_in, d_out]),
  m: draw("m", "C batch", [C, batch]),
};
const at = (name: keyof typeof feeds, i: number, j: number): number => feeds[name].data[i * feeds[name].shape[1]! + j]!;

/** `route (((a V) ⊙ m) U + δ (a (W - V U))) + (1 - route) a W`, as it is defined. */
function byHand(row: number, out: number, delta: number, route: number): number {
  let [parts, own] = [0, 0];
  for (let i = 0; i < d_in; i++) {
    const a = at("a", row, i);
    own += a * at("W", i, out);
    let left = at("W", i, out);
    for (let c = 0; c < C; c++) {
      parts += a * at("V", i, c) * at("m", c, row) * at("U", c, out);
      left -= at("V", i, c) * at("U", c, out);
    }
    parts += delta * a * left;
  }
  return route * parts + (1 - route) * own;
}

test.each([
  ["components alone", undefined, undefined],
  ["with a remainder for each row", [0, 0.25, 1], undefined],
  ["routed", undefined, [1, 0, 1]],
  ["both", [0.5, 0.5, 0], [1, 0, 1]],
])("a masked product is what it is defined to be: %s", (_, delta, route) => {
  const found = interpret(
    {
      y: maskedProduct(
        input("a", "batch d_in", { batch, d_in }),
        { V: input("V", "d_in C", { d_in, C }), U: input("U", "C d_out", { C, d_out }) },
        input("W", "d_in d_out", { d_in, d_out }),
        {
          mask: input("m", "C batch", { C, batch }),
          ...(delta && { remainder: constant("batch", { batch }, delta) }),
          ...(route && { route: constant("batch", { batch }, route) }),
        },
      ),
    },
    feeds,
  );
  for (let row = 0; row < batch; row++)
    for (let out = 0; out < d_out; out++)
      expect(found.y.data[row * d_out + out]).toBeCloseTo(byHand(row, out, delta?.[row] ?? 0, route?.[row] ?? 1), 12);
});

test("what rows share is repeated over them, positions of one example side by side", () => {
  const rows = { example: 2, pos: 3 };
  const over = (axes: string, sizes: Record<string, number>, data: readonly number[]): number[] => {
    const shared: Tensor = constant(axes, sizes, data);
    return Array.from(interpret({ y: overRows(shared, rows) }, {}).y.data);
  };
  expect(over("example", { example: 2 }, [1, 2])).toEqual([1, 1, 1, 2, 2, 2]);
  expect(over("pos", { pos: 3 }, [1, 2, 3])).toEqual([1, 2, 3, 1, 2, 3]);
  expect(over("C example", { C: 2, example: 2 }, [1, 2, 3, 4])).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
  expect(over("C pos", { C: 1, pos: 3 }, [1, 2, 3])).toEqual([1, 2, 3, 1, 2, 3]);
});
