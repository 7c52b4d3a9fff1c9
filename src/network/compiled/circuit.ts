/**
 * Circuits as data: which parts of a network take part, and who reads what of whom. A compiled network's circuit is known, which makes it
 * the ground truth for whatever claims to find circuits.
 */
import { type HeadPlan, type MlpPlan, type Plan } from "./plan.ts";

/**
 * A part of a network that writes to the residual stream, or reads from it.
 *
 * Addresses: `embed`, `pos_embed`, `blocks.1.attn:0` a head, `blocks.1.mlp:4-9` hidden units, `unembed`.
 */
export interface CircuitNode {
  readonly address: string;
  /** The sequence it computes; `noise` and `nothing` for what is beside the point. */
  readonly computes: string;
  /** The directions of the residual stream that it writes. */
  readonly writes: readonly string[];
}

/** One part reading what another has written. */
export interface CircuitEdge {
  readonly from: string;
  readonly to: string;
  /** As what it is read: a head's query, key or value, or as the only input there is. */
  readonly into: "q" | "k" | "v" | "in";
  /** The directions that it carries, of those that `from` writes; none where it carries nothing that matters. */
  readonly directions: readonly string[];
}

export interface Circuit {
  readonly nodes: readonly CircuitNode[];
  readonly edges: readonly CircuitEdge[];
}

/** A head where it stands. */
export interface PlacedHead extends HeadPlan {
  readonly address: string;
  readonly head: number;
}

/** Hidden units where they stand: from `start` on. */
export interface PlacedMlp extends MlpPlan {
  readonly address: string;
  readonly start: number;
}

/** A plan whose heads and units have places. */
export interface Placed extends Omit<Plan, "heads" | "mlps"> {
  readonly heads: readonly PlacedHead[];
  readonly mlps: readonly PlacedMlp[];
  /** What the unembedding reads. */
  readonly output: readonly string[];
}

/** A reader of the stream: what it can see is what was written before its moment. */
interface Reader {
  readonly to: string;
  readonly into: CircuitEdge["into"];
  readonly moment: number;
  readonly reads: readonly string[];
}

interface Part extends CircuitNode {
  readonly moment: number;
}

/** Where the forward pass ends. */
const END = Number.POSITIVE_INFINITY;

/**
 * The circuit of some sequences, and everything else there is in the network: the other parts, and every other pair of an earlier and a
 * later one.
 *
 * @param computing the labels of the sequences whose parts belong to the circuit
 */
export function circuitOf(placed: Placed, computing: ReadonlySet<string>): { circuit: Circuit; outside: Circuit } {
  const parts = partsOf(placed);
  const readers = readersOf(placed);
  const real = new Set(parts.filter(({ computes }) => computing.has(computes)).map(({ address }) => address));
  real.add("unembed");
  const [inside, beside]: [CircuitEdge[], CircuitEdge[]] = [[], []];
  for (const { to, into, moment, reads } of readers) {
    for (const { address: from, moment: written, writes } of parts) {
      if (written >= moment) continue;
      const directions = real.has(to) ? reads.filter((direction) => writes.includes(direction)) : [];
      (directions.length > 0 ? inside : beside).push({ from, to, into, directions });
    }
  }
  // The embeddings belong to it where something of it reads them.
  for (const { from } of inside) real.add(from);
  const node = ({ address, computes, writes }: Part): CircuitNode => ({ address, computes, writes });
  return {
    circuit: { nodes: parts.filter(({ address }) => real.has(address)).map(node), edges: inside },
    outside: { nodes: parts.filter(({ address }) => !real.has(address)).map(node), edges: beside },
  };
}

function partsOf({ embed, posEmbed, heads, mlps }: Placed): Part[] {
  const headMoment = ({ layer }: HeadPlan): number => 2 * layer + 1;
  return [
    { address: "embed", computes: "tokens", writes: embed, moment: 0 },
    { address: "pos_embed", computes: "indices", writes: posEmbed, moment: 0 },
    ...heads.map((head) => ({ ...head, moment: headMoment(head) })),
    ...mlps.map((mlp) => ({ ...mlp, moment: 2 * mlp.layer + 2 })),
    { address: "unembed", computes: "output", writes: [], moment: END },
  ].sort((a, b) => (a.moment === b.moment ? 0 : a.moment - b.moment));
}

function readersOf({ heads, mlps, output }: Placed): Reader[] {
  return [
    ...heads.flatMap((head) =>
      (["q", "k", "v"] as const).map((into) => ({
        to: head.address,
        into,
        moment: 2 * head.layer + 1,
        reads: [...new Set(head[into].map(({ direction }) => direction))],
      })),
    ),
    ...mlps.map(({ address, layer, units }) => ({
      to: address,
      into: "in" as const,
      moment: 2 * layer + 2,
      reads: [...new Set(units.flatMap(({ reads }) => reads.map(([direction]) => direction)))],
    })),
    { to: "unembed", into: "in", moment: END, reads: output },
  ];
}

/** The edges where each layer's MLP is one part, `blocks.1.mlp`: an edge is there if one of its hidden units has it. */
export function withWholeMlps(edges: readonly CircuitEdge[]): CircuitEdge[] {
  const whole = (address: string): string => address.replace(/(\.mlp):.*$/, "$1");
  const merged = new Map<string, CircuitEdge>();
  for (const edge of edges) {
    const [from, to] = [whole(edge.from), whole(edge.to)];
    const name = `${from} ${to} ${edge.into}`;
    const directions = [...new Set([...(merged.get(name)?.directions ?? []), ...edge.directions])];
    merged.set(name, { ...edge, from, to, directions });
  }
  return [...merged.values()];
}
