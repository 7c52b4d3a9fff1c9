/**
 * Activations taken apart: a network some of whose hook points are written as sums of components, by one code or several.
 *
 * What is left over at a point is the difference between its value and what all components together make of it, and is a component too. A code
 * that reads a value after it has written another, as a crosscoder does, reads the run on the network's own weights; every other reads the run
 * that it takes part in, so that what was removed before it is removed from what it sees.
 */
import type { NamedValues } from "../../engine/index.ts";
import { type Hooks, type Network, type Site, weightInputs, type WeightSpec } from "../../network/network.ts";
import { add, cast, greater, mul, rename, sub, sum, type Tensor, type Tensors } from "../../tensor/index.ts";
import { formatAddress } from "../address.ts";
import type { Carried, ComponentInfo, Decomposition, MaskedOptions, Masks, Reconstructed } from "../decomposition.ts";
import { expectWeights } from "../expect-weights.ts";
import { componentsAt } from "../listing.ts";
import { masking } from "../stand-in.ts";
import { type Coder, likePoint, pointRows, type Reading, readsBeforeWriting } from "./coder.ts";

const BITS = 32;

export class ActivationDecomposition implements Decomposition {
  readonly network: Network;
  readonly sites: readonly Site[];
  readonly components: readonly ComponentInfo[];
  readonly remainder: readonly ComponentInfo[];
  readonly values: NamedValues;
  readonly tensors: Tensors;
  readonly measure = "magnitude";
  readonly coders: readonly Coder[];
  /** The hook points that are written, each with the codes that write there, in the order the network meets them. */
  readonly #writers: ReadonlyMap<string, readonly Coder[]>;

  /**
   * @param weights    the network's own
   * @param specs      the tensors that the codes work with
   * @param components their numbers; all must be there
   */
  constructor(
    network: Network,
    weights: NamedValues,
    coders: readonly Coder[],
    specs: readonly WeightSpec[] = [],
    components: NamedValues = {},
  ) {
    this.network = network;
    this.coders = coders;
    this.sites = coders.map(({ site }) => site);
    const wanted = [...network.weights, ...specs];
    this.values = expectWeights(wanted, { ...weights, ...components });
    this.tensors = weightInputs(wanted);
    this.components = coders.flatMap((coder) => componentsAt(coder.site, coder.count, coder));
    // What is left over is a value for each input, not a matrix: written down as one of the whole width.
    this.remainder = this.sites.map((site) => ({
      address: formatAddress({ site: site.name, component: "remainder" }),
      site: site.name,
      rank: site.dOut,
      bits: BITS * site.dOut,
    }));
    const written = new Set(coders.flatMap(({ writes }) => writes));
    this.#writers = new Map(
      network.points
        .filter(({ name }) => written.has(name))
        .map(({ name }) => [name, coders.filter(({ writes }) => writes.includes(name))]),
    );
  }

  /** The hook points at which components write, in the order the network meets them. */
  get points(): readonly string[] {
    return [...this.#writers.keys()];
  }

  /** The length of what each component writes: `C batch` for each site. */
  activity(x: Tensor): Masks {
    return this.#coded(x, (coder, carried) => coder.magnitudes(this.tensors, carried));
  }

  /** The same with the sign of what is carried; only for components of rank one, others are positive. */
  activations(x: Tensor): Masks {
    return this.#coded(x, (coder, carried) => {
      const magnitude = coder.magnitudes(this.tensors, carried);
      if (coder.rank > 1) return magnitude;
      const negative = cast(greater(0, sum(carried, "m")), "f32");
      return mul(magnitude, sub(1, mul(negative, 2)));
    });
  }

  carried(x: Tensor): Carried {
    return this.#coded(x, (_, carried) => carried);
  }

  reconstructions(x: Tensor): Readonly<Record<string, Reconstructed>> {
    const read = this.#readAt(x, (point) => this.#isRead(point) || this.#writers.has(point));
    return Object.fromEntries(
      Array.from(this.#writers, ([point, writers]) => {
        const parts = writers.flatMap((coder): Tensor[] => {
          const bias = coder.bias?.(this.tensors, read, point);
          const made = coder.decode(this.tensors, coder.encode(this.tensors, read), point);
          return bias === undefined ? [made] : [made, bias];
        });
        return [point, { value: read[point]!, made: parts.reduce((total, part) => add(total, part) as Tensor) }];
      }),
    );
  }

  masked(x: Tensor, masks: Masks, { remainder = {}, instead = {}, at }: MaskedOptions = {}): Tensor {
    const ahead = this.coders.some((coder) => masks[coder.site.name] && !readsBeforeWriting(this.network, coder));
    const clean = ahead ? this.#read(x) : {};
    const seen: Record<string, Tensor<"batch d_in">> = {};
    const readingOf = (coder: Coder): Reading => (readsBeforeWriting(this.network, coder) ? seen : clean);
    const replaced = (point: string, value: Tensor): Tensor | undefined => {
      const writers = this.#writers.get(point) ?? [];
      if (!writers.some(({ site }) => masks[site.name])) return undefined;
      const rest = remainder[this.#remainderOf(point)];
      const biases: Tensor[] = [];
      const parts: Tensor[] = [];
      for (const coder of writers) {
        const { name } = coder.site;
        const read = readingOf(coder);
        const kept = keptOf(coder.encode(this.tensors, read), masks[name], rest, instead[name]);
        parts.push(coder.decode(this.tensors, kept, point));
        const bias = coder.bias?.(this.tensors, read, point);
        if (bias !== undefined) biases.push(bias);
      }
      if (rest !== undefined) {
        const own = rename(pointRows(value), "d_in -> d_out");
        parts.push(
          mul(
            biases.reduce((left, bias) => sub(left, bias) as Tensor, own as Tensor),
            rest,
          ) as Tensor,
        );
      }
      const written = [...parts, ...biases].reduce((total, part) => add(total, part) as Tensor);
      return likePoint(written as Tensor<"batch d_out">, value);
    };
    return this.network.forward(this.tensors, x, {
      at: (point, given) => {
        if (this.#isRead(point)) seen[point] = pointRows(given);
        const own = replaced(point, given);
        return at?.(point, own ?? given) ?? own;
      },
    });
  }

  /** The name under which what is left over at a point is masked: that of the code which writes only there, or the last of those that do. */
  #remainderOf(point: string): string {
    const writers = this.#writers.get(point)!;
    return (writers.find(({ site }) => site.name === point) ?? writers.at(-1)!).site.name;
  }

  #isRead(point: string): boolean {
    return this.coders.some(({ reads }) => reads.includes(point));
  }

  /** What the codes read in a run on the network's own weights. */
  #read(x: Tensor): Reading {
    return this.#readAt(x, (point) => this.#isRead(point));
  }

  /** The values at some hook points in a run on the network's own weights. */
  #readAt(x: Tensor, wanted: (point: string) => boolean): Reading {
    const found: Record<string, Tensor<"batch d_in">> = {};
    const watch: Hooks["at"] = (point, value) => {
      if (wanted(point)) found[point] = pointRows(value);
      return undefined;
    };
    this.network.forward(this.tensors, x, { at: watch });
    return found;
  }

  #coded<T>(x: Tensor, of: (coder: Coder, carried: Tensor<"C m batch">) => T): Record<string, T> {
    const read = this.#read(x);
    return Object.fromEntries(
      this.coders.map((coder) => [coder.site.name, of(coder, coder.encode(this.tensors, read))]),
    );
  }
}

/**
 * What components carry under a mask `m` when `δ` of the value's remainder stays: `m z + (1 - m) b - δ z`. With `δ (v - bias)` and the
 * bias added, that is the masked sum and `δ` of what is left over, without making what is left over.
 */
function keptOf(
  carried: Tensor<"C m batch">,
  mask: Tensor<"C batch"> | undefined,
  rest: Tensor | undefined,
  instead: Tensor | undefined,
): Tensor<"C m batch"> {
  // A code without a mask among those that write at the point stays whole.
  const own = mask === undefined ? carried : masking(carried, mask, instead);
  return rest === undefined ? own : (sub(own, mul(carried as Tensor, rest) as Tensor) as Tensor<"C m batch">);
}
