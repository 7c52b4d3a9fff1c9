/** A compiled program as a target: its inputs are the program's, its outputs right, and its circuit known. */
import { expect, test } from "vitest";
import { interpret } from "../../engine/index.ts";
import { decode, encode } from "../../network/compiled/vocabulary.ts";
import { compileProgram } from "../../network/compiled/compile-program.ts";
import { evaluate } from "../../network/compiled/evaluate.ts";
import type { Categorical } from "../../network/compiled/language.ts";
import { weightInputs } from "../../network/network.ts";
import { keyFromSeed, type Tensor } from "../../tensor/index.ts";
import { resolveTarget, train } from "../targets.ts";
import { compiledTarget } from "./compiled.ts";

const document = resolveTarget("compiled", { set: { program: "sort", length: 4 } });
const { settings } = document;
const { vocabulary, program, circuit } = compileProgram("sort", { length: 4, noise: 1 });

test("draws inputs that the program has, and the network computes it on them", async () => {
  const { weights, metrics } = await train(document);
  const network = compiledTarget.network(settings);
  const x = compiledTarget.batch("data", settings, 16);
  const { ids, logits } = interpret(
    { ids: x, logits: network.forward(weightInputs(network.weights), x) as Tensor },
    weights,
    keyFromSeed(1),
  );
  const vocab = vocabulary.tokens.length;
  for (let row = 0; row < 16; row++) {
    const own = Array.from(ids!.data.slice(row * 5, (row + 1) * 5));
    const text = own.slice(1).map((id) => vocabulary.tokens[id]!);
    expect(encode(vocabulary, text)).toEqual(own);
    const wanted = evaluate(program.output as Categorical, text);
    const said = text.map((_, pos) => {
      const at = (row * 5 + pos + 1) * vocab;
      return decode(vocabulary, logits!.data.slice(at, at + vocab));
    });
    expect(said).toEqual(wanted);
  }
  expect(new Set(ids!.data).size).toBeGreaterThan(3);
  expect(metrics.parts).toBeGreaterThan(metrics.circuitParts!);
});

test("knows its circuit", () => {
  expect(compiledTarget.known!(settings)!.circuit!.circuit.nodes).toEqual(circuit.nodes);
});
