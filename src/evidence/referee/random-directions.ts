/**
 * Random directions: what each site writes, in an orthonormal basis that nobody chose. All of them together are the network itself, so nothing is left over;
 * how much a direction matters is how long what lies along it is. A method whose directions mean something needs fewer of them.
 */
import { randomOrthonormalRows } from "../../decomposition/baselines/linear-algebra.ts";
import type { Decomposition, MaskedOptions, Masks } from "../../decomposition/decomposition.ts";
import { formatAddress } from "../../decomposition/address.ts";
import { likePoint, pointRows } from "../../decomposition/activation/coder.ts";
import { masking } from "../../decomposition/stand-in.ts";
import { fromRows, ownProduct, siteRows } from "../../decomposition/parameter/subcomponents.ts";
import { MechanistError } from "../../error.ts";
import { type Values, values } from "../../engine/index.ts";
import type { Network, Site } from "../../network/network.ts";
import {
  abs,
  einsum,
  foldIn,
  input,
  type Key,
  relabel,
  reshape,
  sizesOf,
  sum,
  type Tensor,
} from "../../tensor/index.ts";
import type { Subject } from "./subject.ts";

/** Wider than this a random basis takes longer to make than to use. */
const WIDEST = 1024;
const BITS = 32;

const basisName = (site: string): string => `directions/${site}`;

/**
 * The control of some sites: what matrices write, or what is at hook points.
 *
 * @throws `Refused` for a site that is neither, or a very wide one
 */
export function randomDirectionsControl(decomposition: Decomposition, key: Key): Subject {
  const { network, sites } = decomposition;
  const points = new Set(network.points.map(({ name }) => name));
  const own = new Set([...network.sites, ...(network.furtherSites ?? [])].map(({ name }) => name));
  const name = `random directions, ${listed(sites.map((site) => site.name))}`;
  const nowhere = sites.find((site) => !points.has(site.name) && !own.has(site.name));
  if (nowhere !== undefined)
    throw new MechanistError(
      "Refused",
      `random directions: expected sites that are matrices or hook points, got ${nowhere.name}`,
    );
  const wide = sites.find(({ dOut }) => dOut > WIDEST);
  if (wide !== undefined)
    throw new MechanistError(
      "Refused",
      `random directions: expected at most ${WIDEST} dimensions, got ${wide.dOut} at ${wide.name}`,
    );
  return {
    name,
    control: "random directions",
    decomposition: randomDirections(decomposition, network, sites, points, key),
  };
}

/** Its directions at a site, `C d_out`; nothing of other decompositions. */
export function basisAt({ values: numbers }: Decomposition, site: string): Values | undefined {
  return numbers[basisName(site)];
}

function randomDirections(
  { values: numbers, tensors }: Decomposition,
  network: Network,
  places: readonly Site[],
  points: ReadonlySet<string>,
  key: Key,
): Decomposition {
  const bases = Object.fromEntries(
    places.map(({ name, dOut }) => {
      const { data } = randomOrthonormalRows(dOut, dOut, foldIn(key, basisName(name)));
      return [basisName(name), values("C d_out", [dOut, dOut], data)];
    }),
  );
  const basis = Object.fromEntries(
    places.map(({ name, dOut }) => [name, input(basisName(name), "C d_out", { C: dOut, d_out: dOut })]),
  );
  const along = (site: string, rows: Tensor): Tensor<"C batch"> =>
    einsum("batch d_out, C d_out -> C batch", rows as Tensor<"batch d_out">, basis[site]!);
  /** What is written at each place, as rows, on the network's own weights or with something put in its stead. */
  const run = (x: Tensor, see: (site: string, rows: Tensor) => Tensor | undefined, at?: MaskedOptions["at"]): Tensor =>
    network.forward(tensors, x, {
      matmul: (site, activation, matrix) => {
        if (points.has(site.name) || basis[site.name] === undefined) return undefined;
        const changed = see(site.name, ownProduct(siteRows(activation), matrix) as Tensor);
        return changed && fromRows(changed as Tensor<"batch d_out">, activation);
      },
      at: (point, value) => {
        const rows =
          basis[point] === undefined || !points.has(point) ? undefined : relabel(pointRows(value), "batch d_out");
        const changed = rows && see(point, rows);
        const next = changed && likePoint(changed as Tensor<"batch d_out">, value);
        return at?.(point, next ?? value) ?? next;
      },
    });
  const seen = <T>(x: Tensor, of: (z: Tensor<"C batch">) => T): Record<string, T> => {
    const found: Record<string, T> = {};
    run(x, (site, rows) => {
      found[site] = of(along(site, rows));
      return undefined;
    });
    return found;
  };
  const info = (site: Site, component: number | "remainder", rank: number) => ({
    address: formatAddress({ site: site.name, component }),
    site: site.name,
    rank,
    bits: BITS * site.dOut * rank,
  });
  return {
    network,
    sites: places,
    components: places.flatMap((site) => Array.from({ length: site.dOut }, (_, c) => info(site, c, 1))),
    remainder: places.map((site) => info(site, "remainder", 0)),
    values: { ...numbers, ...bases },
    tensors: { ...tensors, ...Object.fromEntries(places.map(({ name }) => [basisName(name), basis[name]!])) },
    measure: "magnitude",
    activity: (x): Masks => seen(x, (z) => abs(z) as Tensor<"C batch">),
    activations: (x): Masks => seen(x, (z) => z),
    carried: (x) => seen(x, (z) => reshape(z, "C m batch", { ...sizesOf(z), m: 1 })),
    masked: (x, masks, { instead = {}, at } = {}) =>
      run(
        x,
        (site, rows) => {
          const mask = masks[site];
          if (mask === undefined) return undefined;
          const stand = instead[site];
          const kept = masking(along(site, rows), mask, stand && (sum(stand, "m" as never) as Tensor));
          return einsum("C batch, C d_out -> batch d_out", kept, basis[site]!);
        },
        at,
      ),
  };
}

/** Names as a list, of many the first and how many more. */
function listed(names: readonly string[]): string {
  return names.length <= 2 ? names.join(", ") : `${names[0]} and ${names.length - 1} more`;
}
