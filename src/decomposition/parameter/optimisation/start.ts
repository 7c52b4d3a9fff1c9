/**
 * What subcomponents are before anything has been learnt.
 *
 * Aligned with nonlinearities (param-decomp SPEC, "nonlinearity_aligned"), each has one coordinate on the side of its matrix that faces
 * neurons or heads: `V[:, c] U[c, :]` is a piece of one column of W where W writes into them, a piece of one row where it reads
 * from them. As many as there are coordinates, or more, add up to W exactly, and need no warm-up on faithfulness.
 */
import { MechanistError } from "../../../error.ts";
import { interpret, type NamedValues, values } from "../../../engine/index.ts";
import { type Network, type Site, type Units, weightInputs } from "../../../network/network.ts";
import { foldIn, type Key, randomPermutation } from "../../../tensor/index.ts";
import type { Slots } from "../importance/importance.ts";
import { initialSubcomponents, tied } from "../subcomponents.ts";

/** `normal` draws everything; `nonlinearity-aligned` is made of the network's own matrices, where a site faces neurons or heads. */
export type ComponentStart = "normal" | "nonlinearity-aligned";

/**
 * All sites' subcomponents at the start, `<site>.V` and `<site>.U`. A site that faces no units starts as `normal` has it.
 *
 * @param weights the network's own
 * @throws `BadArgument` where a site has more slots than its matrix has numbers
 */
export function startSubcomponents(
  network: Network,
  weights: NamedValues,
  slots: readonly Slots[],
  start: ComponentStart,
  key: Key,
): NamedValues {
  const parts = slots.map(({ site, C }): NamedValues => {
    const { units } = site;
    if (start === "normal" || units === undefined) return initialSubcomponents(site, C, key);
    const { W } = interpret({ W: network.matrix(weightInputs(network.weights), site.name) }, weights);
    return alignedSubcomponents({ ...site, units }, C, W.data, foldIn(key, `${site.name}.units`));
  });
  return tied(
    slots.map(({ site }) => site),
    Object.assign({}, ...parts) as NamedValues,
  );
}

/** Whether subcomponents that start so add up to their matrices exactly, at every site. */
export function startsFaithful(slots: readonly Slots[], start: ComponentStart): boolean {
  return start === "nonlinearity-aligned" && slots.every(({ site, C }) => site.units && C >= coordinatesOf(site));
}

/** How many coordinates the side of a site that faces units has. */
function coordinatesOf({ dIn, dOut, units }: Site): number {
  return units?.side === "in" ? dIn : dOut;
}

/**
 * One site's subcomponents, each with one coordinate on the side that faces units.
 *
 * With fewer slots than coordinates, distinct ones are drawn and the others are left out; with as many, component c has coordinate c. With
 * more, coordinates that are drawn have several components, which share the numbers of their row or column at random, each of them
 * in one alone; no coordinate has two more than another.
 *
 * @param W row-major, `d_in d_out`
 */
export function alignedSubcomponents(
  site: Site & { readonly units: Units },
  C: number,
  W: ArrayLike<number>,
  key: Key,
): NamedValues {
  const { dIn, dOut, units } = site;
  const [coordinates, length] = units.side === "in" ? [dIn, dOut] : [dOut, dIn];
  if (C > coordinates * length) {
    const most = `at most ${coordinates * length} components, one for each number of the matrix`;
    throw new MechanistError("BadArgument", `start of ${site.name}: expected ${most}, got ${C}`);
  }
  const V = new Float32Array(dIn * C);
  const U = new Float32Array(C * dOut);
  const shared = sharesOf(coordinates, C, key);
  shared.forEach((members, coordinate) => {
    // Entry i of the row or column belongs to the member at `order[i] mod members`: as evenly as it goes.
    const order = members.length > 1 ? randomPermutation(foldIn(key, coordinate), length) : undefined;
    for (let i = 0; i < length; i++) {
      const c = members[(order?.[i] ?? i) % members.length];
      if (c === undefined) continue;
      if (units.side === "in") U[c * dOut + i] = W[coordinate * dOut + i]!;
      else V[i * C + c] = W[i * dOut + coordinate]!;
    }
    for (const c of members) {
      if (units.side === "in") V[coordinate * C + c] = 1;
      else U[c * dOut + coordinate] = 1;
    }
  });
  return {
    [`${site.name}.V`]: values("d_in C", [dIn, C], V),
    [`${site.name}.U`]: values("C d_out", [C, dOut], U),
  };
}

/** Which components each coordinate has. */
function sharesOf(coordinates: number, C: number, key: Key): readonly (readonly number[])[] {
  const members: number[][] = Array.from({ length: coordinates }, () => []);
  const whole = Math.floor(C / coordinates);
  for (let c = 0; c < whole * coordinates; c++) members[c % coordinates]!.push(c);
  const drawn = randomPermutation(foldIn(key, "drawn"), coordinates);
  for (let c = whole * coordinates; c < C; c++) members[drawn[c - whole * coordinates]!]!.push(c);
  return members;
}
