/**
 * Yardsticks made of a method's own components: what any set of parts would score if it were not known when each matters, or known perfectly one at a
 * time. A measure on which a method does no better than these has not seen what the method says.
 */
import type { Decomposition, Masks } from "../../decomposition/decomposition.ts";
import { MechanistError } from "../../error.ts";
import {
  add,
  axisSize,
  cast,
  constant,
  div,
  foldIn,
  gather,
  greater,
  type Key,
  mean,
  randomPermutation,
  relu,
  sub,
  type Tensor,
  uniform,
} from "../../tensor/index.ts";
import { strengthsOf } from "./ranking.ts";
import { credited, type Subject } from "./subject.ts";

/** The method's components by random numbers: on each row and site as many count as active, on average, as the method says, whichever they are. */
export function randomControl(of: Subject): Subject {
  const draw = (name: string, like: Tensor): Tensor<"C batch"> =>
    uniform(name, "C batch", { C: axisSize(like, "C"), batch: axisSize(like, "batch") });
  const activity = (x: Tensor): Masks =>
    each(of.decomposition.activity(x), (z, site) => {
      const share = mean(cast(greater(z, 0), "f32"), "C") as Tensor<"batch">;
      const over = relu(
        add(sub(draw(`referee/random/${site}`, z), 1) as Tensor<"C batch">, share),
      ) as Tensor<"C batch">;
      return div(over, add(share, 1e-9)) as Tensor<"C batch">;
    });
  const strength = (x: Tensor): Masks =>
    each(of.decomposition.activity(x), (z, site) => draw(`referee/random/strength/${site}`, z));
  return {
    name: `${of.name} · random`,
    control: "random",
    of,
    decomposition: credited(of.decomposition, activity, strength),
  };
}

/**
 * The method's components with their activities credited to others of the same site, no one keeping its own: as many are active on each row, and as
 * strongly, but not the right ones.
 *
 * @throws `Refused` where no site has two components
 */
export function permutedControl(of: Subject, key: Key): Subject {
  const { decomposition } = of;
  const orders = new Map<string, Tensor<"C">>();
  for (const { name } of decomposition.sites) {
    const C = decomposition.components.filter(({ site }) => site === name).length;
    orders.set(name, constant("C", { C }, otherOf(key, name, C), "i32"));
  }
  if (![...orders.values()].some((order) => axisSize(order, "C") > 1)) {
    throw new MechanistError("Refused", `${of.name} · permuted: expected a site with two components, got none`);
  }
  const moved = (masks: Masks): Masks =>
    each(masks, (z, site) => gather(z, orders.get(site)!, "C") as Tensor<"C batch">);
  return {
    name: `${of.name} · permuted`,
    control: "permuted",
    of,
    decomposition: credited(
      decomposition,
      (x) => moved(decomposition.activity(x)),
      (x) => moved(strengthsOf(decomposition, x)),
    ),
  };
}

/** For each component of a site another: each takes the place of the next in a random round, so that none stays unless it is alone. */
export function otherOf(key: Key, site: string, C: number): number[] {
  const order = randomPermutation(foldIn(key, `permuted/${site}`), C);
  const taken = [...order];
  order.forEach((c, i) => (taken[c] = order[(i + 1) % C]!));
  return taken;
}

/** The method's components by the damage that each one's removal does by itself. */
export function damageControl(of: Subject): Subject {
  return {
    name: `${of.name} · oracle ranking`,
    control: "oracle ranking",
    of,
    decomposition: of.decomposition,
    byDamage: true,
  };
}

/** The known mechanisms. */
export function oracleControl(decomposition: Decomposition): Subject {
  return { name: "oracle", control: "oracle", decomposition };
}

function each(masks: Masks, f: (z: Tensor<"C batch">, site: string) => Tensor<"C batch">): Masks {
  return Object.fromEntries(Object.entries(masks).map(([site, z]) => [site, f(z, site)]));
}
