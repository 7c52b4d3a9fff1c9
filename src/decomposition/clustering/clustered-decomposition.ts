/**
 * A decomposition whose components are clusters of another's: the mask of a cluster is the mask of all of its members. Each causal test that
 * can be done to components can so be done to clusters.
 *
 * A cluster may have members at several sites, so there is one site of them all, `cluster`: its matrices as blocks of one. Components that are
 * in no cluster, those that never fired, follow as clusters of one, for a component that is left out of a test is a component untested.
 */
import { MechanistError } from "../../error.ts";
import type { NamedValues } from "../../engine/index.ts";
import type { Network, Site } from "../../network/network.ts";
import { nearest } from "../../nearest.ts";
import { concat, constant, gather, max, type Tensor, type Tensors } from "../../tensor/index.ts";
import { formatAddress } from "../address.ts";
import type { Carried, ComponentInfo, Decomposition, MaskedOptions, Masks } from "../decomposition.ts";

/** The name of the one site. */
const SITE = "cluster";

/** A cluster with its members. */
export interface ClusterInfo extends ComponentInfo {
  /** Addresses of the members. */
  readonly members: readonly string[];
}

export class ClusteredDecomposition implements Decomposition {
  readonly network: Network;
  readonly sites: readonly Site[];
  readonly components: readonly ClusterInfo[];
  readonly remainder: readonly ComponentInfo[];
  readonly values: NamedValues;
  readonly tensors: Tensors;
  readonly measure: Decomposition["measure"];
  readonly #inner: Decomposition;
  /** The members of each cluster, and the cluster of each component, both by index. */
  readonly #members: readonly (readonly number[])[];
  readonly #clusterOf: Int32Array;

  /**
   * @param inner    what the clusters are made of
   * @param clusters addresses of the members of each
   * @throws `UnknownName` for an address that is none of the components'; `BadArgument` for one that is in two clusters, or an empty cluster
   */
  constructor(inner: Decomposition, clusters: readonly (readonly string[])[]) {
    const { network, sites, components } = inner;
    this.network = network;
    this.values = inner.values;
    this.tensors = inner.tensors;
    this.measure = inner.measure;
    this.#inner = inner;
    this.#members = membersOf(components, clusters);
    this.#clusterOf = new Int32Array(components.length);
    this.#members.forEach((members, i) => members.forEach((c) => (this.#clusterOf[c] = i)));
    const total = (sizes: readonly number[]): number => sizes.reduce((a, b) => a + b, 0);
    this.sites = [{ name: SITE, dIn: total(sites.map((s) => s.dIn)), dOut: total(sites.map((s) => s.dOut)) }];
    this.components = this.#members.map((members, component) => ({
      address: formatAddress({ site: SITE, component }),
      site: SITE,
      rank: total(members.map((c) => components[c]!.rank)),
      bits: total(members.map((c) => components[c]!.bits)),
      members: members.map((c) => components[c]!.address),
    }));
    this.remainder = [
      {
        address: formatAddress({ site: SITE, component: "remainder" }),
        site: SITE,
        rank: total(inner.remainder.map(({ rank }) => rank)),
        bits: total(inner.remainder.map(({ bits }) => bits)),
      },
    ];
  }

  /** A cluster matters as much as the member that matters most. */
  activity(x: Tensor): Masks {
    const activity = this.#inner.activity(x);
    const all = concat(
      this.#innerSites().map((site) => activity[site]!),
      "C",
    );
    // Clusters of about one size are looked up at once: members in rows, the short rows filled up with a member of their own.
    const widths = this.#members.map(({ length }) => 2 ** Math.ceil(Math.log2(length)));
    const order: number[] = [];
    const parts = [...new Set(widths)].map((width) => {
      const clusters = widths.flatMap((w, i) => (w === width ? [i] : []));
      const rows = clusters.flatMap((i) => {
        const members = this.#members[i]!;
        return Array.from({ length: width }, (_, m) => members[Math.min(m, members.length - 1)]!);
      });
      order.push(...clusters);
      const sizes = { cluster: clusters.length, member: width };
      const found = gather(all, constant("cluster member", sizes, rows, "i32"), "C");
      return max(found, "member") as Tensor<"cluster batch">;
    });
    const places = Int32Array.from(order);
    order.forEach((cluster, place) => (places[cluster] = place));
    const back = constant("C", { C: places.length }, places, "i32");
    return { [SITE]: gather(concat(parts, "cluster"), back, "cluster") as Tensor<"C batch"> };
  }

  /** What the members carry, by their own sites: members of a cluster at several sites carry nothing together. */
  carried(x: Tensor): Carried {
    return this.#inner.carried(x);
  }

  masked(x: Tensor, masks: Masks, { remainder = {}, ...options }: MaskedOptions = {}): Tensor {
    const mask = masks[SITE];
    const rest = remainder[SITE];
    if (mask === undefined) return this.#inner.masked(x, {}, options);
    const sites = this.#innerSites();
    const own: Record<string, Tensor<"C batch">> = {};
    for (const site of sites) {
      const clusters = this.#inner.components.flatMap((info, c) => (info.site === site ? [this.#clusterOf[c]!] : []));
      const indices = constant("C", { C: clusters.length }, clusters, "i32");
      own[site] = gather(mask, indices, "C") as Tensor<"C batch">;
    }
    const left = rest === undefined ? {} : Object.fromEntries(sites.map((site) => [site, rest]));
    return this.#inner.masked(x, own, { remainder: left, ...options });
  }

  /** The sites of the components, in the components' order. */
  #innerSites(): string[] {
    return [...new Set(this.#inner.components.map(({ site }) => site))];
  }
}

/** Indices of the members of each cluster, and after them of each component that is in none. */
function membersOf(components: readonly ComponentInfo[], clusters: readonly (readonly string[])[]): number[][] {
  const indices = new Map(components.map(({ address }, c) => [address, c]));
  const taken = new Set<number>();
  const members = clusters.map((addresses, i) => {
    if (addresses.length === 0) throw new MechanistError("BadArgument", `cluster ${i}: expected components, got none`);
    return addresses.map((address) => {
      const c = indices.get(address);
      if (c === undefined) {
        const close = nearest(address, [...indices.keys()]) ?? "a component";
        throw new MechanistError("UnknownName", `cluster ${i}: expected ${close}, got ${address}`);
      }
      if (taken.has(c)) {
        throw new MechanistError("BadArgument", `cluster ${i}: expected each component once, got ${address} again`);
      }
      taken.add(c);
      return c;
    });
  });
  return [...members, ...components.flatMap((_, c) => (taken.has(c) ? [] : [[c]]))];
}
