/** `clusters.json`: a clustering as a file, whole or as far as it came. `docs/formats.md` says what is in it. */
import { z } from "zod";
import { MechanistError } from "../../error.ts";
import { readVersioned } from "../../file/versioned.ts";
import { formatAddress } from "../address.ts";
import type { ClusterState } from "./cluster.ts";
import {
  cheapestResolution,
  clusterSizes,
  costsOf,
  crossings,
  idsAt,
  type MergeHistory,
  plateau,
} from "./merge-history.ts";
import type { PartialMerges } from "./merge.ts";
import { type ClusterSettings, clusterSettings } from "./settings.ts";
import { type Stability, stabilityOf } from "./stability.ts";
import { foldIn, keyFromSeed } from "../../tensor/index.ts";

/** The version of the file. */
const CLUSTERS_SCHEMA = 1;

const index = z.int().min(0);
const pairs = z.array(z.tuple([index, index]));

const member = z.strictObject({
  alive: z.array(index),
  counts: z.array(index),
  pairs,
  together: z.array(index),
  change: z.array(z.number()),
  cost: z.array(z.number()),
});

const clustersFile = z.strictObject({
  schema: z.literal(CLUSTERS_SCHEMA),
  settings: clusterSettings,
  subject: z.strictObject({ digest: z.string(), step: index }),
  finished: z.boolean(),
  components: z.array(z.string()),
  members: z.array(member),
  shuffled: z.strictObject({ cost: z.array(z.number()) }).optional(),
  partial: z.strictObject({ pairs, together: z.array(index), chain: z.array(index).optional() }).optional(),
  result: z.record(z.string(), z.json()).optional(),
});
type ClustersFile = z.infer<typeof clustersFile>;

/** What a clustering is of: a run's document, and the step of its checkpoint. */
export type ClusterSubject = ClustersFile["subject"];

/** A cluster at the chosen resolution. */
export interface FoundCluster {
  readonly address: string;
  /** Fraction of positions at which it fires. */
  readonly rate: number;
  readonly rank: number;
  /** Addresses of its components. */
  readonly members: readonly string[];
}

/** What came of a clustering. Costs are in bits a position. */
export interface ClusterResult {
  readonly positions: number;
  /** Components that fire, of so many. */
  readonly alive: number;
  readonly components: number;
  /** The number of clusters that costs least, and where else ΔL crosses zero. */
  readonly k: number;
  readonly crossings: readonly number[];
  /** The fewest and the most clusters around k that cost at most a hundredth more. */
  readonly plateau: readonly [number, number];
  /** With one cluster a component, and with k clusters. */
  readonly firstCost: number;
  readonly cost: number;
  /** The same of the control, whose components fire at the same rates, but apart. */
  readonly shuffled: { readonly k: number; readonly firstCost: number; readonly cost: number };
  readonly clusters: readonly FoundCluster[];
  /** The k of each member of the ensemble. */
  readonly ks: readonly number[];
  /** Nothing where there is one member. */
  readonly stability: Stability | null;
}

/** What a whole clustering says. */
export function resultOf(components: readonly string[], state: ClusterState, settings: ClusterSettings): ClusterResult {
  const [first] = state.members;
  const { alive, history } = first!;
  const costs = costsOf(history);
  const ks = state.members.map((m) => cheapestResolution(costsOf(m.history), m.alive.length));
  const k = ks[0]!;
  const control = state.shuffled!.cost;
  const controlK = cheapestResolution({ cost: control, change: [] }, alive.length);
  const key = foldIn(keyFromSeed(settings.seed), "stability");
  return {
    positions: history.positions,
    alive: alive.length,
    components: components.length,
    k,
    crossings: crossings(costs, alive.length),
    plateau: plateau(costs, alive.length, k, 0.01),
    firstCost: costs.cost[0]!,
    cost: costs.cost[alive.length - k]!,
    shuffled: { k: controlK, firstCost: control[0]!, cost: control[alive.length - controlK]! },
    clusters: clustersAt(components, alive, history, k),
    ks,
    stability: state.members.length < 2 ? null : stabilityOf(state.members, ks, key),
  };
}

/** The clusters at any resolution, those that fire most often first. */
export function clustersAt(
  components: readonly string[],
  alive: readonly number[],
  history: MergeHistory,
  k: number,
): FoundCluster[] {
  const { count, rank } = clusterSizes(history);
  const members = new Map<number, number[]>();
  idsAt(history, k).forEach((id, c) => {
    const own = members.get(id);
    if (own === undefined) members.set(id, [c]);
    else own.push(c);
  });
  return [...members]
    .sort(([a], [b]) => count[b]! - count[a]! || a - b)
    .map(([id, own], i) => ({
      address: formatAddress({ site: "cluster", component: i }),
      rate: count[id]! / history.positions,
      rank: rank[id]!,
      members: own.map((c) => components[alive[c]!]!),
    }));
}

/** Writes a clustering down; `result` is added when it is whole. */
export function clustersText(
  subject: ClusterSubject,
  settings: ClusterSettings,
  components: readonly string[],
  state: ClusterState,
): string {
  const finished = state.unfinished === undefined && state.members.length === settings.ensemble;
  const { partial } = state.unfinished ?? {};
  const file: ClustersFile = {
    schema: CLUSTERS_SCHEMA,
    settings,
    subject,
    finished,
    components: [...components],
    members: state.members.map(({ alive, history }) => ({
      alive: [...alive],
      counts: [...history.counts],
      ...mergesOut(history),
      ...(({ change, cost }) => ({ change: [...change], cost: [...cost] }))(costsOf(history)),
    })),
    ...(state.shuffled && { shuffled: { cost: [...state.shuffled.cost] } }),
    ...(partial && { partial: { ...mergesOut(partial), ...(partial.chain && { chain: [...partial.chain] }) } }),
  };
  const result = finished ? { result: resultOf(components, state, settings) } : {};
  return `${JSON.stringify({ ...file, ...result })}\n`;
}

function mergesOut({ merges }: PartialMerges): { pairs: [number, number][]; together: number[] } {
  return { pairs: merges.map(({ a, b }) => [a, b]), together: merges.map(({ together }) => together) };
}

/** A clustering read from a file. */
export interface StoredClustering {
  readonly settings: ClusterSettings;
  readonly subject: ClusterSubject;
  readonly finished: boolean;
  readonly components: readonly string[];
  /** Without the firings of what is unfinished, which lie beside it. */
  readonly state: Omit<ClusterState, "unfinished">;
  readonly partial?: PartialMerges;
}

/**
 * Reads a clustering.
 *
 * @param where names the file in an error
 * @throws `BadFile` where it is none; `NewerSchema` where a newer Mechanist wrote it
 */
export function parseClusters(text: string, where: string): StoredClustering {
  const read = readVersioned(text, where, clustersFile, CLUSTERS_SCHEMA);
  const { settings, subject, finished, components, members, shuffled, partial } = read;
  return {
    settings,
    subject,
    finished,
    components,
    state: {
      members: members.map(({ alive, counts, ...merged }) => {
        expectMerges(where, merged, counts.length, alive, components.length);
        const history = { positions: settings.positions, alpha: settings.alpha, counts, merges: mergesIn(merged) };
        return { alive, history };
      }),
      ...(shuffled && { shuffled }),
    },
    ...(partial && { partial: { merges: mergesIn(partial), ...(partial.chain && { chain: partial.chain }) } }),
  };
}

type StoredMerges = Pick<ClustersFile["members"][number], "pairs" | "together">;

function mergesIn({ pairs, together }: StoredMerges): PartialMerges["merges"] {
  return pairs.map(([a, b], m) => ({ a, b, together: together[m]! }));
}

/** Refuses merges that are not of these components, or not of clusters that are there: each is merged once, after it was made. */
function expectMerges(
  where: string,
  { pairs, together }: StoredMerges,
  C: number,
  alive: readonly number[],
  all: number,
): void {
  const whole = pairs.length === C - 1 && together.length === C - 1 && alive.length === C;
  if (!whole || alive.some((c) => c >= all)) {
    throw new MechanistError("BadFile", `${where}: expected ${alive.length - 1} merges, got ${pairs.length}`);
  }
  const seen = new Set<number>();
  const wrong = pairs.findIndex(([a, b], m) => {
    const fits = a < b && b < C + m && !seen.has(a) && !seen.has(b);
    seen.add(a).add(b);
    return !fits;
  });
  if (wrong >= 0) {
    throw new MechanistError(
      "BadFile",
      `${where}: merge ${wrong}: expected two clusters, got ${pairs[wrong]!.join(", ")}`,
    );
  }
}
