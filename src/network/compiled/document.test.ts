import { describe, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../file/safetensors.ts";
import { compileProgram } from "./compile-program.ts";
import { withWholeMlps } from "./circuit.ts";
import { compiledDocument, openCompiled } from "./document.ts";

const compiled = compileProgram("sort", { noise: 1, decoys: 1, rotate: true, seed: 3 });
const written = JSON.stringify(compiledDocument(compiled));
const { tensors } = readSafetensors(writeSafetensors(compiled.weights));

test("a compiled program is what it was after being written and read", () => {
  const opened = openCompiled("network.json", JSON.parse(written), tensors);
  expect(compiledDocument(opened)).toEqual(compiledDocument(compiled));
  expect(opened.weights).toEqual(compiled.weights);
  expect(opened.basis).toEqual(compiled.basis);
});

test("the same settings give the same bits, another seed gives others", () => {
  const again = compileProgram("sort", { noise: "1", decoys: "1", rotate: "true", seed: "3" });
  expect(again.weights).toEqual(compiled.weights);
  const other = compileProgram("sort", { noise: 1, decoys: 1, rotate: true, seed: 4 });
  expect(other.weights["embed.W_E"]).not.toEqual(compiled.weights["embed.W_E"]);
});

test("directions are orthonormal, turned or not", () => {
  const { basis, directions } = compiled;
  const size = directions.length;
  const row = (i: number): Float32Array => basis.data.subarray(i * size, (i + 1) * size) as Float32Array;
  let worst = 0;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      const dot = row(i).reduce((sum, x, d) => sum + x * row(j)[d]!, 0);
      worst = Math.max(worst, Math.abs(dot - Number(i === j)));
    }
  }
  expect(worst).toBeLessThan(1e-6);
  // No direction is an axis.
  expect(Math.max(...basis.data)).toBeLessThan(0.9);
  expect(Math.max(...compileProgram("sort").basis.data)).toBe(1);
});

test("parts and edges of the circuit and outside are all there are", () => {
  const { circuit, outside, config } = compiled;
  const addresses = [...circuit.nodes, ...outside.nodes].map(({ address }) => address);
  expect(new Set(addresses).size).toBe(addresses.length);
  const heads = addresses.filter((address) => /\.attn:\d+$/.test(address));
  expect(heads).toHaveLength(config.layers * config.attention.heads);
  const units = addresses.flatMap((address) => {
    const [, first, last] = /\.mlp:(\d+)-(\d+)$/.exec(address) ?? [];
    return first === undefined ? [] : [Number(last) - Number(first) + 1];
  });
  expect(units.reduce((a, b) => a + b, 0)).toBe(config.layers * config.mlp!.dMlp);
  const edges = [...circuit.edges, ...outside.edges].map(({ from, to, into }) => `${from} ${to} ${into}`);
  expect(new Set(edges).size).toBe(edges.length);
});

test("with whole MLPs the circuit of reverse is as one would draw it", () => {
  const { circuit } = compileProgram("reverse");
  expect(
    withWholeMlps(circuit.edges)
      .map(({ from, to, into }) => `${from} -> ${to} ${into}`)
      .sort(),
  ).toEqual([
    "blocks.0.attn:0 -> blocks.0.mlp in",
    "blocks.0.mlp -> blocks.1.mlp in",
    "blocks.1.mlp -> blocks.2.attn:0 q",
    "blocks.2.attn:0 -> unembed in",
    "embed -> blocks.0.attn:0 v",
    "embed -> blocks.0.mlp in",
    "embed -> blocks.1.mlp in",
    "embed -> blocks.2.attn:0 v",
    "pos_embed -> blocks.1.mlp in",
    "pos_embed -> blocks.2.attn:0 k",
  ]);
});

describe("what is no compiled program is refused", () => {
  const changed = (change: Readonly<Record<string, unknown>>): unknown => ({ ...JSON.parse(written), ...change });
  test.each([
    ["no object", [], /network.json: expected the document of a compiled program/],
    ["another kind", changed({ kind: "train" }), /expected the document of a compiled program/],
    ["a later schema", changed({ schema: 2 }), /expected schema 1, got 2/],
    ["an unknown program", changed({ program: "srot" }), /network.json: program: expected sort, got srot/],
    ["settings out of range", changed({ settings: { length: 1e9 } }), /sort length: .*, got 1000000000/],
    [
      "another circuit",
      changed({ circuit: { nodes: [], edges: [] } }),
      /the circuit that compiling sort gives, got another/,
    ],
  ])("%s", (_, document, message) => {
    expect(() => openCompiled("network.json", document, tensors)).toThrow(message);
  });

  test("tensors that are missing or have another shape", () => {
    const { "embed.W_E": W_E, ...rest } = tensors;
    expect(() => openCompiled("x", JSON.parse(written), rest)).toThrow(
      /x: embed.W_E: expected f32 "vocab d_model" of .*, got none/,
    );
    const longer = { ...tensors, "unembed.W_U": W_E! };
    expect(() => openCompiled("x", JSON.parse(written), longer)).toThrow(/unembed.W_U: expected .*, got f32 of/);
  });
});
