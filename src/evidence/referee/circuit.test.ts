/** Circuits of compiled programs, with heads and hidden units beside the point, as heads and neurons and as parts of weights. */
import { expect, test } from "vitest";
import { always, handMade, rowsAsParts } from "../../../test/evidence/subjects.ts";
import { wholeNumbers } from "../../data/draws.ts";
import { ActivationDecomposition } from "../../decomposition/activation/index.ts";
import { unitCoder } from "../../decomposition/baselines/unit-coder.ts";
import { compileProgram } from "../../network/compiled/compile-program.ts";
import { transformer } from "../../network/transformer/transformer.ts";
import { referee } from "./referee.ts";

const compiled = compileProgram("reverse", { noise: 1, length: 4 });
const { config, weights, circuit, outside } = compiled;
const network = transformer(config);
const inside = (address: string): boolean => /^blocks\.\d+\.(attn|mlp):/.test(address);
const parts = [circuit, outside].map(({ nodes }) => nodes.filter(({ address }) => inside(address)).length);
const source = {
  batch: (batch: number) => wholeNumbers("tokens", "batch pos", { batch, pos: 5 }, network.input.vocab!),
};
const options = { threads: 1, prompts: 32, measures: [] };

test("heads and neurons find all of it, and what is beside it as well, for they say nothing of what matters", async () => {
  const points = network.points.map(({ name }) => name);
  const coders = Array.from({ length: config.layers }, (_, l) => `blocks.${l}`).flatMap((block) => [
    unitCoder(`${block}.attn.hook_z`, config.attention.heads * config.attention.dHead, config.attention.dHead),
    ...(points.includes(`${block}.mlp.hook_post`) ? [unitCoder(`${block}.mlp.hook_post`, config.mlp!.dMlp)] : []),
  ]);
  const units = { name: "units", decomposition: new ActivationDecomposition(network, weights, coders) };
  const board = await referee(
    [units],
    { title: "reverse", digest: "", source, known: { circuit: { circuit, outside } } },
    options,
  );
  const [own, all] = [parts[0]!, parts[0]! + parts[1]!];
  expect(all).toBeGreaterThan(own);
  const found = board.known.find(({ subject }) => subject === "units")!.circuit!;
  expect(found.recall).toBe(1);
  expect(found.precision).toBeLessThan(1);
  expect(found.precision).toBeGreaterThanOrEqual(own / all - 1e-9);
}, 120_000);

test("parts of weights lie where their vectors are, and nothing active is nothing found", async () => {
  const rows = rowsAsParts(network, weights);
  const subjects = [always(1), always(0)].map((importances, i) => ({
    name: ["all", "none"][i]!,
    decomposition: handMade(network, weights, rows, importances),
  }));
  const board = await referee(
    subjects,
    { title: "reverse", digest: "", source, known: { circuit: { circuit, outside } } },
    options,
  );
  const of = (name: string) => board.known.find(({ subject }) => subject === name)!.circuit!;
  expect(of("all").recall).toBe(1);
  expect(of("none")).toEqual({ precision: 0, recall: 0 });
}, 120_000);
