/** Where heads and hidden units of a plan stand in the layers of a transformer. */
import { foldIn, type Key, randomPermutation } from "../../tensor/index.ts";
import type { Placed, PlacedHead, PlacedMlp } from "./circuit.ts";
import type { MlpPlan, Plan } from "./plan.ts";

/** How large the matrices have to be. */
export interface Sizes {
  readonly heads: number;
  readonly dHead: number;
  readonly dMlp: number;
}

/** The sizes that a plan needs: the most of any layer, since all layers are alike. */
export function sizesFor({ layers, heads, mlps }: Plan): Sizes {
  const most = (count: (layer: number) => number): number =>
    Math.max(...Array.from({ length: layers }, (_, i) => count(i)));
  const entries = heads.flatMap(({ q, k, v }) => [...q, ...k, ...v]);
  return {
    heads: Math.max(
      1,
      most((layer) => heads.filter((head) => head.layer === layer).length),
    ),
    dHead: entries.reduce((most, { dimension }) => Math.max(most, dimension + 1), 1),
    dMlp: most((layer) => unitsIn(mlps, layer)),
  };
}

function unitsIn(mlps: readonly MlpPlan[], layer: number): number {
  return mlps.reduce((sum, mlp) => (mlp.layer === layer ? sum + mlp.units.length : sum), 0);
}

/**
 * Gives every head and hidden unit its place. Places that nothing is for are there too: they compute `nothing`.
 *
 * @param key where given, heads stand in an order drawn from it; otherwise as they come
 */
export function place(plan: Plan, sizes: Sizes, output: readonly string[], key?: Key): Placed {
  const heads: PlacedHead[] = [];
  const mlps: PlacedMlp[] = [];
  for (let layer = 0; layer < plan.layers; layer++) {
    const order = key === undefined ? undefined : randomPermutation(foldIn(key, layer), sizes.heads);
    const here = plan.heads.filter((head) => head.layer === layer);
    for (let i = 0; i < sizes.heads; i++) {
      const head = order?.[i] ?? i;
      const idle = { computes: "nothing", layer, q: [], k: [], v: [], o: [], writes: [] };
      heads.push({ ...(here[i] ?? idle), head, address: `blocks.${layer}.attn:${head}` });
    }
    let start = 0;
    for (const mlp of plan.mlps.filter((mlp) => mlp.layer === layer)) {
      mlps.push({ ...mlp, start, address: unitsAddress(layer, start, mlp.units.length) });
      start += mlp.units.length;
    }
    const left = sizes.dMlp - start;
    if (left > 0) {
      const units = Array.from({ length: left }, () => ({ reads: [], writes: [] }));
      mlps.push({ computes: "nothing", layer, units, writes: [], start, address: unitsAddress(layer, start, left) });
    }
  }
  return { ...plan, heads: heads.sort((a, b) => a.layer - b.layer || a.head - b.head), mlps, output };
}

function unitsAddress(layer: number, start: number, count: number): string {
  return `blocks.${layer}.mlp:${start}-${start + count - 1}`;
}
