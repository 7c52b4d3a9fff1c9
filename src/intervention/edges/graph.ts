/**
 * A transformer as a graph: parts that write to the residual stream, parts that read from it, and an edge wherever one reads what another
 * has written. Addresses are those of `CircuitNode`: `embed`, `blocks.1.attn:0` a head, `blocks.1.mlp`, `unembed`.
 */
import { MechanistError } from "../../error.ts";
import type { Network } from "../../network/network.ts";
import type { RunnableNetwork } from "../../network/run.ts";
import { isTransformer, type Transformer } from "../../network/transformer/transformer.ts";
import { named } from "../../settings.ts";

/** One part reading what another has written. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  /** As what it is read: a head's query, key or value, or as the only input there is. */
  readonly into: "q" | "k" | "v" | "in";
}

/** A part that writes: its value is what it adds to the residual stream. */
export interface Sender {
  readonly address: string;
  /** The hook points whose values, together, it writes. */
  readonly points: readonly string[];
  /** Which head of the point. */
  readonly head?: number;
}

/** A part that reads: its value is the residual stream as it reads it. */
export interface Receiver {
  readonly address: string;
  readonly into: Edge["into"];
  readonly point: string;
  readonly head?: number;
  /** It sees the senders before this one. */
  readonly sees: number;
}

/** Parts in the order they write; what is to be known of a graph, so its granularity goes with it. */
export interface EdgeGraph {
  readonly network: Transformer;
  readonly senders: readonly Sender[];
  readonly receivers: readonly Receiver[];
  readonly edges: readonly Edge[];
  /** How fine it is, in a sentence: a count of edges means nothing without. */
  readonly granularity: string;
}

export interface GraphOptions {
  /** Whether tokens and positions are two senders, `embed` and `pos_embed`, and not one. */
  readonly splitEmbeddings?: boolean;
}

const GRAPHS = new WeakMap<Network, Map<boolean, EdgeGraph>>();

/**
 * The graph of a network.
 *
 * @throws `BadArgument` where the network is no transformer, or a norm stands between heads and stream so that they do not simply add up
 */
export function edgeGraph({ network }: RunnableNetwork, { splitEmbeddings = false }: GraphOptions = {}): EdgeGraph {
  const known = GRAPHS.get(network)?.get(splitEmbeddings);
  if (known !== undefined) return known;
  if (!isTransformer(network) || network.config.layers === 0) {
    throw new MechanistError("BadArgument", "edges: expected a transformer, got a network without attention heads");
  }
  const made = graphOf(network, splitEmbeddings);
  GRAPHS.set(network, (GRAPHS.get(network) ?? new Map<boolean, EdgeGraph>()).set(splitEmbeddings, made));
  return made;
}

function graphOf(network: Transformer, splitEmbeddings: boolean): EdgeGraph {
  const { config } = network;
  const { heads, kvHeads } = config.attention;
  if (config.norm.post) {
    throw new MechanistError(
      "BadArgument",
      "edges: expected heads that add to the stream as they are, got a network with a norm after each block's part",
    );
  }
  const positions = config.positions.kind === "absolute" && config.positions.addedTo === "residual";
  const senders: Sender[] = [
    { address: "embed", points: positions && !splitEmbeddings ? ["hook_embed", "hook_pos_embed"] : ["hook_embed"] },
  ];
  if (positions && splitEmbeddings) senders.push({ address: "pos_embed", points: ["hook_pos_embed"] });
  const receivers: Receiver[] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `blocks.${layer}`;
    const sees = senders.length;
    for (const into of ["q", "k", "v"] as const) {
      const count = into === "q" ? heads : kvHeads;
      for (let head = 0; head < count; head++) {
        const shared = into !== "q" && heads !== kvHeads;
        const address = `${block}.attn${shared ? ".kv" : ""}:${head}`;
        receivers.push({ address, into, point: `${block}.hook_${into}_input`, head, sees });
      }
    }
    for (let head = 0; head < heads; head++) {
      senders.push({ address: `${block}.attn:${head}`, points: [`${block}.attn.hook_result`], head });
    }
    if (config.mlp === undefined) continue;
    receivers.push({
      address: `${block}.mlp`,
      into: "in",
      point: `${block}.hook_mlp_in`,
      sees: config.parallel ? sees : senders.length,
    });
    senders.push({ address: `${block}.mlp`, points: [`${block}.hook_mlp_out`] });
  }
  const end = `blocks.${config.layers - 1}.hook_resid_post`;
  receivers.push({ address: "unembed", into: "in", point: end, sees: senders.length });
  const edges = receivers.flatMap(({ address: to, into, sees }) =>
    senders.slice(0, sees).map(({ address: from }): Edge => ({ from, to, into })),
  );
  const embedding = positions
    ? splitEmbeddings
      ? ", tokens and positions apart"
      : ", tokens and positions as one"
    : "";
  const granularity = `${edges.length} edges between ${senders.length} writers and ${receivers.length} readers: heads with query, key and value apart${config.mlp === undefined ? "" : ", whole MLPs"}${embedding}`;
  return { network, senders, receivers, edges, granularity };
}

/** The index of a sender. @throws `UnknownName` */
export function senderAt({ senders }: EdgeGraph, address: string): number {
  return named("sender", address, Object.fromEntries(senders.map((s, i) => [s.address, i])));
}

/** An edge as text: `blocks.0.attn:0 -> blocks.1.attn:0 k`. */
export const edgeName = ({ from, to, into }: Edge): string => `${from} -> ${to}${into === "in" ? "" : ` ${into}`}`;

/** A receiver by its address and part. @throws `UnknownName` */
export function receiverAt({ receivers }: EdgeGraph, to: string, into: Edge["into"]): Receiver {
  const key = (address: string, part: Edge["into"]): string => edgeName({ from: "", to: address, into: part }).slice(4);
  return named("receiver", key(to, into), Object.fromEntries(receivers.map((r) => [key(r.address, r.into), r])));
}

/** The points that senders' values are read at. */
export function senderPoints({ senders }: EdgeGraph): readonly string[] {
  return [...new Set(senders.flatMap(({ points }) => points))];
}
