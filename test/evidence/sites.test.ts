/** What can be taken apart beside a network's own matrices, from the settings to the verdict and a graph: identities, ties, embeddings. */
import { describe, expect, test } from "vitest";
import { attributionGraph } from "../../src/circuit/attribution-graph.ts";
import { editedWeights, editFeeds, editHooks, planned, ablate } from "../../src/circuit/edit.ts";
import { decompose, type Decomposed, methodNamed, resolveMethod } from "../../src/decomposition/methods.ts";
import type { ParameterDecomposition } from "../../src/decomposition/parameter/parameter-decomposition.ts";
import { interpret, type NamedValues, values } from "../../src/engine/index.ts";
import { judge } from "../../src/evidence/judge.ts";
import { tokenValues } from "../../src/network/run.ts";
import { constant, input, keyFromSeed, foldIn, randomNormal, sizeOf } from "../../src/tensor/index.ts";
import { resolveTarget, targetNamed } from "../../src/training/targets.ts";

const options = { threads: 1 };
const small = { steps: 6, batch: 16, components: 4, gateWidth: 2, warmupSteps: 3, learningRate: 1e-2, pruneBelow: 0 };

/** A network that nobody trained, taken apart in a few steps. */
async function takenApart(
  target: string,
  set: Readonly<Record<string, unknown>>,
  settings: Readonly<Record<string, unknown>>,
): Promise<{ readonly found: Decomposed; readonly opened: ParameterDecomposition }> {
  const document = resolveMethod("spd", { target: resolveTarget(target, { set }), set: { ...small, ...settings } });
  const { weights: specs } = targetNamed(target).network(document.target.settings);
  const weights: NamedValues = Object.fromEntries(
    specs.map(({ name, axes, shape }) => [
      name,
      values(
        axes,
        shape,
        randomNormal(foldIn(keyFromSeed(2), name), sizeOf(shape)).map((v) => v / 2),
      ),
    ]),
  );
  const found = await decompose(document, weights, options);
  const opened = methodNamed("spd").open(document, weights, found.components) as ParameterDecomposition;
  return { found, opened };
}

describe("identities and ties in a toy", () => {
  const features = { features: 4, hidden: 3 };
  const x = values("batch feature", [1, 4], [0.5, 0, 0.8, 0]);

  test("are taken apart, judged, drawn and edited", async () => {
    const { found, opened } = await takenApart("tms", features, { identities: "hook_hidden", tied: true });
    expect(opened.sites.map(({ name }) => name)).toEqual(["linear1", "hook_hidden.identity", "linear2"]);
    const [read, written] = [opened.values["linear1.V"]!, opened.values["linear2.U"]!];
    for (let c = 0; c < 4; c++) for (let i = 0; i < 4; i++) expect(written.data[c * 4 + i]).toBe(read.data[i * 4 + c]);
    const verdict = await judge(found, options);
    expect(verdict.sites["hook_hidden.identity"]).toMatchObject({ components: 4, rank: 3 });
    expect(verdict.regimes.zero.divergence).toBeGreaterThan(0);
    const masks = Object.fromEntries(opened.sites.map(({ name }) => [name, values("C batch", [4, 1], [1, 1, 1, 1])]));
    const graph = await attributionGraph(opened, x, { device: "float64", masks, outputs: 4 });
    expect(graph.layers).toEqual(["input", "linear1", "hook_hidden.identity", "linear2", "output"]);
    expect(graph.edges.some(({ from }) => graph.nodes[from]!.site === "hook_hidden.identity")).toBe(true);

    const plan = planned(opened, [ablate("hook_hidden.identity:1")]);
    const batch = input("x", "batch feature", { batch: 1, feature: 4 });
    const run = (strength: number) =>
      opened.network.forward(opened.tensors, batch, editHooks(opened, plan, constant("", {}, strength)));
    const { whole, edited, own } = interpret(
      { whole: run(0), edited: run(1), own: opened.network.forward(opened.tensors, batch) },
      { ...opened.values, ...editFeeds(plan), x },
    );
    expect(Array.from(whole.data)).toEqual(Array.from(own.data));
    expect(Array.from(edited.data)).not.toEqual(Array.from(own.data));
    expect(() => editedWeights(opened, plan)).toThrow(
      "expected a weight called hook_hidden.identity to change, got none",
    );
  }, 60_000);

  test("are asked for by their patterns like other sites", async () => {
    const { opened } = await takenApart("tms", features, { identities: "hook_hidden", sites: "*.identity" });
    expect(opened.sites.map(({ name }) => name)).toEqual(["hook_hidden.identity"]);
    const both = await takenApart("tms", features, { identities: "hook_hidden", sites: "linear1" });
    expect(both.opened.sites.map(({ name }) => name)).toEqual(["linear1", "hook_hidden.identity"]);
    await expect(takenApart("tms", features, { identities: "hook_hiden" })).rejects.toThrow(
      "hook point: expected hook_hidden, got hook_hiden",
    );
  }, 60_000);
});

test("an embedding and what reads it", async () => {
  const set = { vocabulary: 5, context: 8, layers: 1, width: 8, heads: 2, shortest: 2, longest: 4 };
  const { found, opened } = await takenApart("induction", set, {
    ...{ sites: "embed.W_E,blocks.0.attn.W_V", importance: "gate", persistentRecon: 0, subsetRecon: 1 },
    ...{ delta: true, stochasticRecon: 1 },
  });
  expect(opened.sites.map(({ name }) => name)).toEqual(["embed.W_E", "blocks.0.attn.W_V"]);
  const verdict = await judge(found, options);
  expect(verdict.sites["embed.W_E"]).toMatchObject({ components: 4 });
  const ids = tokenValues([[0, 1, 2, 1]]);
  await expect(attributionGraph(opened, ids, { device: "float64", threshold: -1 })).rejects.toThrow(
    "embed.W_E: expected a site that reads vectors, got an embedding of token ids",
  );
  const plan = planned(opened, [ablate("embed.W_E:0")]);
  const weights = editedWeights(opened, plan);
  const batch = input("x", "batch pos", { batch: 1, pos: 4 }, "i32");
  const hooks = editHooks(opened, plan, constant("", {}, 1));
  const out = opened.network.forward(opened.tensors, batch, hooks);
  const { hooked } = interpret({ hooked: out }, { ...opened.values, ...editFeeds(plan), x: ids });
  const { exported } = interpret(
    { exported: opened.network.forward(opened.tensors, batch) },
    {
      ...opened.values,
      ...weights,
      x: ids,
    },
  );
  hooked.data.forEach((value, i) => expect(exported.data[i]).toBeCloseTo(value, 4));
}, 60_000);

test("a start that adds up exactly has no warm-up, any other has", async () => {
  const stages = async (components: number): Promise<Set<string>> => {
    const target = resolveTarget("resid-mlp", { set: { features: 4, width: 6, neurons: 5, layers: 1 } });
    const set = { ...small, steps: 2, warmupSteps: 2, components, start: "nonlinearity-aligned" };
    const document = resolveMethod("vpd", { target, set });
    const { weights: specs } = targetNamed("resid-mlp").network(target.settings);
    const weights = Object.fromEntries(
      specs.map(({ name, axes, shape }) => [
        name,
        values(axes, shape, randomNormal(foldIn(keyFromSeed(2), name), sizeOf(shape))),
      ]),
    );
    const seen = new Set<string>();
    await decompose(document, weights, { ...options, onProgress: ({ stage }) => void seen.add(stage) });
    return seen;
  };
  expect(await stages(5)).toEqual(new Set(["decompose"]));
  expect(await stages(4)).toEqual(new Set(["warm up", "decompose"]));
}, 60_000);
