import { describe, expect, test } from "vitest";
import { expectClose } from "../../test/expect-close.ts";
import { compile, interpret, type NamedValues, values } from "../engine/index.ts";
import {
  constant,
  contract,
  foldIn,
  gradients,
  input,
  keyFromSeed,
  mean,
  randomNormal,
  sizeOf,
  square,
} from "../tensor/index.ts";
import { conv } from "./conv.ts";
import { weightInputs } from "./network.ts";

const [height, width, channels, batch] = [4, 3, 2, 2];
const network = conv({ height, width, channels, kernel: 3, filters: [3, 2], outputs: 2 });
const drawn: NamedValues = Object.fromEntries(
  network.weights.map(({ name, axes, shape }) => [
    name,
    values(axes, shape, randomNormal(foldIn(keyFromSeed(6), name), sizeOf(shape))),
  ]),
);
const image = randomNormal(foldIn(keyFromSeed(6), "image"), batch * height * width * channels);
const x = input("x", "batch pos feature", { batch, pos: height * width, feature: channels });
const feeds = { ...drawn, x: values("batch pos feature", [batch, height * width, channels], image) };
const weights = weightInputs(network.weights);

/** One layer, pixel by pixel: what lies beyond the edge is 0. */
function layer(from: number[][][], name: string): number[][][] {
  const { shape, data } = drawn[`${name}.W`]!;
  const [, , read, filters] = shape as [number, number, number, number];
  return from.map((row, y) =>
    row.map((_, at) =>
      Array.from({ length: filters }, (__, f) => {
        let total = drawn[`${name}.b`]!.data[f]!;
        for (let i = 0; i < 3; i++)
          for (let j = 0; j < 3; j++)
            for (let c = 0; c < read; c++)
              total += (from[y + i - 1]?.[at + j - 1]?.[c] ?? 0) * data[((i * 3 + j) * read + c) * filters + f]!;
        return Math.max(0, total);
      }),
    ),
  );
}

function plainly(example: number): number[] {
  const pixels = Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (__, at) =>
      Array.from({ length: channels }, (___, c) => image[((example * height + y) * width + at) * channels + c]!),
    ),
  );
  const hidden = layer(layer(pixels, "blocks.0.conv"), "blocks.1.conv");
  const [W, b] = [drawn["unembed.W_U"]!.data, drawn["unembed.b_U"]!.data];
  return hidden
    .flat()
    .flatMap((pixel) => [0, 1].map((o) => pixel.reduce((sum, h, f) => sum + h * W[f * 2 + o]!, b[o]!)));
}

test("is what convolution says, pixel by pixel", () => {
  const { y } = interpret({ y: network.forward(weights, x) }, feeds);
  expect(y.axes).toBe("batch pos output");
  [0, 1].flatMap(plainly).forEach((expected, i) => expect(y.data[i]).toBeCloseTo(expected, 10));
});

test("value and gradients are the same on a device", async () => {
  const loss = mean(square(network.forward(weights, x)));
  const names = network.weights.map(({ name }) => name);
  const found = gradients(
    loss,
    names.map((name) => weights[name]!),
  );
  const program = { loss, ...Object.fromEntries(names.map((name, i) => [name, found[i]!])) };
  const [exact, executable] = [interpret(program, feeds) as NamedValues, await compile(program, { threads: 1 })];
  const got: NamedValues = await executable.run(feeds);
  for (const name of Object.keys(program)) expectClose(got[name]!, exact[name]!, { relative: 1e-5 });
  await executable.dispose();
});

describe("a kernel is a site as any other", () => {
  test("with what it reads side by side, and filters as neurons", () => {
    expect(network.sites.map(({ name, dIn, dOut }) => [name, dIn, dOut])).toEqual([
      ["blocks.0.conv.W", 18, 3],
      ["blocks.1.conv.W", 27, 2],
      ["unembed.W_U", 2, 2],
    ]);
    expect(network.sites.map(({ units }) => units!.side)).toEqual(["out", "out", "in"]);
  });

  test("its product can be replaced, and is its patches times its matrix", () => {
    const seen: string[] = [];
    const same = network.forward(weights, x, {
      matmul: (site, a, W) => {
        seen.push(`${site.name} ${a.axes} ${a.shape.join("×")}`);
        return contract(a, W, "batch pos d_out");
      },
    });
    const zero = network.forward(weights, x, {
      matmul: (site) =>
        site.name === "unembed.W_U"
          ? constant("batch pos d_out", { batch, pos: height * width, d_out: 2 }, 0)
          : undefined,
    });
    const found = interpret({ own: network.forward(weights, x), same, zero }, feeds);
    expect(Array.from(found.same.data)).toEqual(Array.from(found.own.data));
    expect(new Set(found.zero.data)).toEqual(new Set(drawn["unembed.b_U"]!.data));
    expect(seen).toEqual([
      "blocks.0.conv.W batch pos d_in 2×12×18",
      "blocks.1.conv.W batch pos d_in 2×12×27",
      "unembed.W_U batch pos d_in 2×12×2",
    ]);
  });
});
