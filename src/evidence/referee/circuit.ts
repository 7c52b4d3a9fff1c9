/**
 * A circuit that is known, as of a compiled program, beside the parts of the network whose components a method calls active: heads, and groups of hidden units.
 *
 *   precision = parts found that belong to it / parts found       recall = parts found that belong to it / parts that belong to it
 *
 * A part is found where a component that lies in it is above the threshold on some row. A component lies where its index says (heads and neurons of a hook
 * point), or where more than half of the squared length of its vector on the side of heads or neurons is. By chance, all parts found, precision is the
 * share of parts that belong to the circuit and recall 1. What it does not say: whether edges are right, or what a part computes.
 */
import { componentFactors, type Decomposition, isOfWeights } from "../../decomposition/decomposition.ts";
import { interpret, type Values } from "../../engine/index.ts";
import type { Site } from "../../network/network.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { KnownCircuit } from "../../training/known-mechanisms.ts";
import type { KnownScores } from "./scoreboard.ts";
import type { Trial } from "./trial.ts";

/** Heads and hidden units of a block: `blocks.1.attn:0`, `blocks.1.mlp:4-9` or `blocks.1.mlp:4`. */
interface Part {
  readonly address: string;
  readonly block: string;
  readonly from: number;
  readonly to: number;
}

const ADDRESS = /^(blocks\.\d+\.(?:attn|mlp)):(\d+)(?:-(\d+))?$/;

function partsOf({ nodes }: KnownCircuit["circuit"]): Part[] {
  return nodes.flatMap(({ address }) => {
    const found = ADDRESS.exec(address);
    if (found === null) return [];
    const [, block, from, to = from] = found as unknown as [string, string, string, string?];
    return [{ address, block, from: Number(from), to: Number(to) }];
  });
}

/** Precision and recall of what is above a threshold; nothing where no component lies in any part. */
export async function circuitScores(
  trial: Trial,
  known: KnownCircuit,
  threshold: number,
): Promise<KnownScores["circuit"]> {
  const [own, others] = [partsOf(known.circuit), partsOf(known.outside)];
  const places = placesOf(trial.subject.decomposition, [...own, ...others]);
  if (![...places.values()].some((list) => list.some((place) => place !== undefined))) return undefined;
  const found = new Set<string>();
  for (let i = 0; i < trial.probe.batches; i++) {
    const scores = await trial.own.scores(i);
    for (const [site, list] of places) {
      const { data, shape } = scores[`score/${site}`]!;
      const rows = shape[1]!;
      list.forEach((place, c) => {
        if (place !== undefined && data.subarray(c * rows, (c + 1) * rows).some((score) => score > threshold))
          found.add(place);
      });
    }
  }
  const right = own.filter(({ address }) => found.has(address)).length;
  return { precision: found.size > 0 ? right / found.size : 0, recall: right / own.length };
}

/** The part that each component lies in, by site. */
function placesOf(decomposition: Decomposition, parts: readonly Part[]): Map<string, readonly (string | undefined)[]> {
  const weights = isOfWeights(decomposition);
  return new Map(
    decomposition.sites.map((site) => {
      const block = site.name.split(".").slice(0, 3).join(".");
      const near = parts.filter((part) => part.block === block);
      const count = decomposition.components.filter((one) => one.site === site.name).length;
      if (!weights)
        return [
          site.name,
          Array.from({ length: count }, (_, c) => partAt(near, (p) => Number(c >= p.from && c <= p.to))),
        ];
      return [site.name, byVectors(decomposition, site, near, count)];
    }),
  );
}

/** The part that has more than half. */
function partAt(parts: readonly Part[], share: (part: Part) => number): string | undefined {
  return parts.find((part) => share(part) > 1 / 2)?.address;
}

function byVectors(
  decomposition: Decomposition,
  site: Site,
  parts: readonly Part[],
  count: number,
): (string | undefined)[] {
  const { units } = site;
  if (units === undefined) return Array.from({ length: count }, () => undefined);
  const factors = componentFactors(decomposition, site);
  const { V, U } = interpret<Record<string, Tensor>>({ V: factors.V, U: factors.U }, decomposition.values) as {
    V: Values;
    U: Values;
  };
  const m = V.shape[2]!;
  const [d, at] =
    units.side === "in"
      ? [site.dIn, (c: number, k: number, i: number): number => V.data[(i * count + c) * m + k]!]
      : [site.dOut, (c: number, k: number, i: number): number => U.data[(c * m + k) * site.dOut + i]!];
  const width = d / units.count;
  return Array.from({ length: count }, (_, c) => {
    const squares = new Float64Array(units.count);
    for (let k = 0; k < m; k++) for (let i = 0; i < d; i++) squares[Math.floor(i / width)]! += at(c, k, i) ** 2;
    const total = squares.reduce((a, b) => a + b, 0) || 1;
    return partAt(parts, ({ from, to }) => squares.slice(from, to + 1).reduce((a, b) => a + b, 0) / total);
  });
}
