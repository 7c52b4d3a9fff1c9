import { describe, expect, test } from "vitest";
import { lines, ORIENTATIONS } from "../../data/lines.ts";
import { interpret, type NamedValues, values } from "../../engine/index.ts";
import { weightInputs } from "../../network/network.ts";
import { keyFromSeed } from "../../tensor/index.ts";
import { resolveTarget, train } from "../targets.ts";
import { linesNetwork, linesScores, type LinesSettings } from "./lines.ts";

const [batch, height, width] = [20, 5, 4];
const drawn = lines("data", { batch, height, width, density: 0.5 });
const data = interpret({ ink: drawn.ink, lines: drawn.lines }, {}, keyFromSeed(9));

describe("lines", () => {
  test("are where three pixels of ink lie in a row, a column or a diagonal", () => {
    const ink = (image: number, row: number, column: number): number =>
      row < 0 || row >= height || column < 0 || column >= width
        ? 0
        : data.ink.data[image * height * width + row * width + column]!;
    const counts = [0, 0, 0, 0];
    for (let image = 0; image < batch; image++) {
      for (let at = 0; at < height * width; at++) {
        const [row, column] = [Math.floor(at / width), at % width];
        Object.values(ORIENTATIONS).forEach(([down, right], o) => {
          const there = [-1, 0, 1].every((by) => ink(image, row + by * down, column + by * right) === 1);
          expect(data.lines.data[(image * height * width + at) * 4 + o]).toBe(Number(there));
          counts[o]! += Number(there);
        });
      }
    }
    expect(Math.min(...counts)).toBeGreaterThan(5);
  });

  test("are found by four kernels that are written down", () => {
    const settings = {
      ...resolveTarget("lines", { set: { height, width, filters: 4 } }).settings,
    } as never as LinesSettings;
    const network = linesNetwork(settings);
    const kernel = new Float32Array(9 * 4);
    Object.values(ORIENTATIONS).forEach(([down, right], o) => {
      for (const by of [-1, 0, 1]) kernel[((1 + by * down) * 3 + 1 + by * right) * 4 + o] = 1;
    });
    const weights: NamedValues = {
      "blocks.0.conv.W": values("row column channel filter", [3, 3, 1, 4], kernel),
      "blocks.0.conv.b": values("d_out", [4], [-2, -2, -2, -2]),
      "unembed.W_U": values(
        "d_in d_out",
        [4, 4],
        Array.from({ length: 16 }, (_, i) => Number(i % 5 === 0)),
      ),
      "unembed.b_U": values("d_out", [4], [0, 0, 0, 0]),
    };
    const y = network.forward(weightInputs(network.weights), drawn.ink);
    const found = interpret({ y }, weights, keyFromSeed(9)).y;
    expect(Array.from(found.data)).toEqual(Array.from(data.lines.data));
  });
});

test("are learnt; a network that knows nothing explains nothing", async () => {
  const document = resolveTarget("lines", { preset: "quick" });
  const { metrics, weights } = await train(document, { threads: 1 });
  expect(metrics.explained).toBeGreaterThan(0.99);
  const nothing = Object.fromEntries(
    Object.entries(weights).map(([name, tensor]) => [name, { ...tensor, data: tensor.data.map(() => 0) }]),
  );
  const { explained } = await linesScores(document.settings as never as LinesSettings, nothing, { threads: 1 });
  expect(explained).toBeLessThan(0);
});
