import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, type Values, values } from "../../engine/index.ts";
import { FreshData } from "../../evidence/fresh-data.ts";
import { reconstruction } from "../../evidence/reconstruction.ts";
import { targetNamed } from "../../training/targets.ts";
import { constant, foldIn, input, keyFromSeed, randomNormal, type Tensor } from "../../tensor/index.ts";
import { scalarGates } from "../parameter/importance/scalar-gate.ts";
import { componentWeights, ParameterDecomposition } from "../parameter/parameter-decomposition.ts";
import { ClusteredDecomposition } from "./clustered-decomposition.ts";

const settings = { features: 5, hidden: 2, identity: true, steps: 1, seed: 0 };
const network = targetNamed("tms").network(settings);
const draw = (specs: typeof network.weights): NamedValues =>
  Object.fromEntries(
    specs.map(({ name, axes, shape }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return [name, values(axes, shape, randomNormal(foldIn(keyFromSeed(3), name), size))];
    }),
  );
const gates = scalarGates(2);
const slots = network.sites.map((site, i) => ({ site, C: 3 + i }));
const inner = new ParameterDecomposition(network, draw(network.weights), draw(componentWeights(slots, gates)), gates);
const [first, second, third] = network.sites.map(({ name }) => name) as [string, string, string];
/** Of 3, 4 and 5 components: three at once over all sites, two of one site; seven are left. */
const clusters = [
  [`${third}:4`, `${first}:0`, `${second}:1`],
  [`${first}:1`, `${first}:2`],
];
const clustered = new ClusteredDecomposition(inner, clusters);
const BATCH = 4;
const x = input("x", "batch feature", { batch: BATCH, feature: 5 });
const feeds = { ...inner.values, x: values("batch feature", [BATCH, 5], randomNormal(keyFromSeed(5), 20)) };
const row = ({ data, shape }: Values, c: number): number[] =>
  Array.from(data.slice(c * shape[1]!, (c + 1) * shape[1]!));

describe("a decomposition into clusters", () => {
  test("has the clusters as components, and after them those that are in none", () => {
    expect(clustered.components.map(({ address }) => address)).toEqual(
      Array.from({ length: 9 }, (_, i) => `cluster:${i}`),
    );
    expect(clustered.components.map(({ members }) => members)).toEqual([
      ...clusters,
      ...[`${second}:0`, `${second}:2`, `${second}:3`, `${third}:0`, `${third}:1`, `${third}:2`, `${third}:3`].map(
        (address) => [address],
      ),
    ]);
    expect(clustered.components.map(({ rank }) => rank)).toEqual([3, 2, 1, 1, 1, 1, 1, 1, 1]);
    const bits = (list: readonly { readonly bits: number }[]): number => list.reduce((sum, { bits }) => sum + bits, 0);
    expect(bits(clustered.components)).toBe(bits(inner.components));
    expect(bits(clustered.remainder)).toBe(bits(inner.remainder));
  });

  test("a cluster matters as much as the member that matters most", () => {
    const found = interpret({ own: clustered.activity(x)["cluster"]!, ...inner.activity(x) }, feeds) as NamedValues;
    const of = (address: string): number[] => {
      const [site, c] = address.split(":") as [string, string];
      return row(found[site]!, Number(c));
    };
    clustered.components.forEach(({ members }, i) => {
      const all = members.map(of);
      expect(row(found["own"]!, i)).toEqual(all[0]!.map((_, b) => Math.max(...all.map((one) => one[b]!))));
    });
  });

  test("the mask of a cluster is the mask of its members, the remainder's that of every site", () => {
    const numbers = Array.from({ length: 9 * BATCH }, (_, i) => ((i * 7) % 11) / 10);
    const mask = constant("C batch", { C: 9, batch: BATCH }, numbers);
    const left = constant("batch", { batch: BATCH }, [0, 0.5, 1, 0.2]);
    const indices = (site: string): number[] =>
      inner.components
        .filter((info) => info.site === site)
        .map(({ address }) => clustered.components.findIndex(({ members }) => members.includes(address)));
    const own = Object.fromEntries(
      network.sites.map(({ name }) => {
        const data = indices(name).flatMap((i) => numbers.slice(i * BATCH, (i + 1) * BATCH));
        return [name, constant("C batch", { C: indices(name).length, batch: BATCH }, data)];
      }),
    ) as Record<string, Tensor<"C batch">>;
    const remainders = Object.fromEntries(network.sites.map(({ name }) => [name, left]));
    const found = interpret(
      {
        clusters: clustered.masked(x, { cluster: mask }, { remainder: { cluster: left } }),
        members: inner.masked(x, own, { remainder: remainders }),
        whole: clustered.masked(x, {}),
        network: network.forward(inner.tensors, x),
      },
      feeds,
    );
    expect(found.clusters.data).toEqual(found.members.data);
    expect(found.whole.data).toEqual(found.network.data);
    expect(found.clusters.data).not.toEqual(found.whole.data);
  });

  test("is tested as any decomposition is", async () => {
    const batch = (size: number): Tensor =>
      targetNamed("tms").batch("data", { ...settings, featureProbability: 0.2 }, size);
    const data = await FreshData.open(clustered, { batch }, {});
    const { regimes } = await reconstruction(data);
    await data.dispose();
    // Every regime has masks for clusters, the attacks gradients through them.
    for (const { divergence } of Object.values(regimes)) expect(divergence).toBeGreaterThan(0);
    expect(regimes.adversarial.divergence).toBeGreaterThan(regimes.stochastic.divergence);
  });

  test("refuses what cannot be", () => {
    const make = (list: string[][]) => (): unknown => new ClusteredDecomposition(inner, list);
    expect(make([[`${first}:9`]])).toThrow(`cluster 0: expected ${first}:`);
    expect(make([[`${first}:0`], [`${first}:0`]])).toThrow(
      `cluster 1: expected each component once, got ${first}:0 again`,
    );
    expect(make([[]])).toThrow("cluster 0: expected components, got none");
  });
});
