/**
 * A network taken apart into the mechanisms that it is known to have: the yardstick that every measure should put first. Known are networks whose matrices
 * carry features one by one: a component reads feature i and writes what the network writes for it, or reads what stands for it and writes feature i;
 * it is active exactly where the feature is there. Where features come as rows of an embedding E, fewer than it has dimensions, reading feature i alone is a
 * column of E's pseudo-inverse, and what the matrix does besides nothing ever reaches. A matrix that all features share is one block of its whole rank, always active.
 */
import type { Decomposition, Masks } from "../../decomposition/decomposition.ts";
import type { ImportanceFunction } from "../../decomposition/parameter/importance/importance.ts";
import { dense, product, pseudoInverse } from "../../decomposition/baselines/linear-algebra.ts";
import { ParameterDecomposition } from "../../decomposition/parameter/parameter-decomposition.ts";
import { MechanistError } from "../../error.ts";
import { interpret, type NamedValues, type Values, values } from "../../engine/index.ts";
import { type Network, type Site, weightInputs } from "../../network/network.ts";
import { axisSize, cast, constant, einsum, greater, abs, relabel, type Tensor, transpose } from "../../tensor/index.ts";
import { dot } from "../../instrument/random-directions.ts";
import type { KnownMechanisms, SitePattern } from "../../training/known-mechanisms.ts";
import { credited } from "./subject.ts";

/**
 * Builds it.
 *
 * @throws `Refused` where the mechanisms of some matrix are not known
 */
export function knownDecomposition(network: Network, weights: NamedValues, known: KnownMechanisms): Decomposition {
  const patterns = known.patterns?.sites;
  if (patterns === undefined)
    throw new MechanistError(
      "Refused",
      "oracle: expected a network whose mechanisms are known, got one of which none are",
    );
  const tensors = weightInputs(network.weights);
  const matrices = interpret(
    Object.fromEntries(network.sites.map(({ name }) => [name, network.matrix(tensors, name)])) as Record<
      string,
      Tensor
    >,
    weights,
  );
  const parts = network.sites.map((site) => {
    const pattern = patterns[site.name];
    const embedding = pattern?.pattern === "identity" && pattern.embedding;
    const W = matrices[site.name]!;
    return { site, ...(embedding ? embedded(site, weights[embedding]!, W) : partsOf(site, pattern, W)) };
  });
  const components = Object.fromEntries(
    parts.flatMap(({ site: { name }, V, U }) => [
      [`${name}.V`, V],
      [`${name}.U`, U],
    ]),
  );
  const whole = new ParameterDecomposition(network, weights, components, ALWAYS);
  return credited(whole, (x) => present(x, parts));
}

const ALWAYS: ImportanceFunction = {
  weights: () => [],
  start: () => ({}),
  preactivations: (_, seen) =>
    Object.fromEntries(
      seen.map(({ site, inner, C }) => [site.name, constant("C batch", { C, batch: axisSize(inner, "batch") }, 1)]),
    ),
};

interface Parts {
  readonly V: Values;
  readonly U: Values;
  /** Whether component i is feature i's. */
  readonly features: boolean;
  /** Which features component c is of, where features share components. */
  readonly groups?: readonly (readonly number[])[];
}

function partsOf({ name, dIn, dOut, features }: Site, pattern: SitePattern | undefined, W: Values): Parts {
  const unit = (n: number): Float32Array => Float32Array.from({ length: n * n }, (_, i) => Number(i % (n + 1) === 0));
  const rows = {
    V: values("d_in C", [dIn, dIn], unit(dIn)),
    U: values("C d_out", [dIn, dOut], Float32Array.from(W.data)),
  };
  if (pattern?.pattern === "dense") return { ...rows, features: false };
  if (pattern?.pattern === "identity" && features === "in") return { ...rows, features: true };
  if (pattern?.pattern === "shared" && features === "in") return inGroups(pattern.groups, W);
  if (pattern?.pattern === "identity" && features === "out") {
    const V = values("d_in C", [dIn, dOut], Float32Array.from(W.data));
    return { V, U: values("C d_out", [dOut, dOut], unit(dOut)), features: true };
  }
  throw new MechanistError("Refused", `oracle: expected a matrix whose mechanisms are known, got ${name}`);
}

/** One component a group of features, whose rows of `W` are multiples of one another: what the first does, as strongly as each does it. */
function inGroups(groups: readonly (readonly number[])[], W: Values): Parts {
  const [dIn, dOut] = W.shape as [number, number];
  const row = (i: number): number[] => Array.from({ length: dOut }, (_, o) => W.data[i * dOut + o]!);
  const V = new Float32Array(dIn * groups.length);
  groups.forEach((members, c) => {
    const first = row(members[0]!);
    for (const i of members) V[i * groups.length + c] = dot(row(i), first) / dot(first, first);
  });
  return {
    V: values("d_in C", [dIn, groups.length], V),
    U: values("C d_out", [groups.length, dOut], Float32Array.from(groups.flatMap(([first]) => row(first!)))),
    features: false,
    groups,
  };
}

/** Wider than this a pseudo-inverse takes longer to make than to use. */
const WIDEST = 1024;

/** One component a feature, where the site reads a sum of rows of `E`, `feature d_in`. */
function embedded({ name, dIn, dOut }: Site, E: Values, W: Values): Parts {
  const features = E.shape[0]!;
  if (features > Math.min(dIn, WIDEST)) {
    const most = Math.min(dIn, WIDEST);
    throw new MechanistError("Refused", `oracle: expected at most ${most} features at ${name}, got ${features}`);
  }
  const rows = dense(features, dIn, E.data as Float32Array);
  return {
    V: values("d_in C", [dIn, features], Float32Array.from(pseudoInverse(rows).data)),
    U: values("C d_out", [features, dOut], Float32Array.from(product(rows, dense(dIn, dOut, W.data)).data)),
    features: true,
  };
}

/** A feature's components matter where it is there, a group's where one of its features is, all others everywhere. */
function present(x: Tensor, parts: readonly (Parts & { readonly site: Site })[]): Masks {
  const there = relabel(transpose(cast(greater(abs(x), 0), "f32"), "feature batch"), "C batch");
  const batch = axisSize(x, "batch");
  return Object.fromEntries(
    parts.map(({ site, V, features, groups }) => [
      site.name,
      features ? there : groups ? anyOf(groups, there) : constant("C batch", { C: V.shape[1]!, batch }, 1),
    ]),
  );
}

/** @param there `C batch`, a row a feature */
function anyOf(groups: readonly (readonly number[])[], there: Tensor): Tensor<"C batch"> {
  const n = axisSize(there, "C");
  const members = constant(
    "group C",
    { group: groups.length, C: n },
    groups.flatMap((group) => Array.from({ length: n }, (_, i) => Number(group.includes(i)))),
  );
  const count = einsum("group C, C batch -> group batch", members, there as Tensor<"C batch">);
  return relabel(cast(greater(count, 0), "f32"), "C batch");
}
