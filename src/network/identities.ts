/**
 * Identities between the parts of a network: frozen matrices that change nothing, put at hook points so that what a network holds there can
 * be taken apart as its weights are (SPD repository, "identity insertion"). A representation of rank k needs k components.
 */
import { MechanistError } from "../error.ts";
import { named } from "../settings.ts";
import { axisNames, constant, input, reshape, sizeOf, sizesOf, type Tensor } from "../tensor/index.ts";
import { type Hooks, type Network, type Site, weightInputs } from "./network.ts";

/** The name of the site at a hook point. */
export const identityAt = (point: string): string => `${point}.identity`;

/**
 * The same network with an identity at each of some hook points, as the site `<point>.identity`. It acts before anything that is done at the
 * point: hooks see what it lets through.
 *
 * @param points names, with commas between; empty leaves the network as it is
 * @throws `UnknownName` for a point that is not there, `BadArgument` for one whose value has no rows as sites have them
 */
export function withIdentities(network: Network, points: string): Network {
  if (points === "") return network;
  const table = Object.fromEntries(network.points.map((point) => [point.name, point]));
  const wanted = new Set(points.split(",").map((name) => named("hook point", name.trim(), table).name));
  const sites = sitesInOrder(network, wanted);
  const identities = sites.filter((site): site is Identity => "point" in site);
  const at = new Map(identities.map((site) => [site.point, { site, W: eye(site.dIn) }]));

  const withProducts = (hooks: Hooks): Hooks => ({
    ...hooks,
    at: (point, value) => {
      const identity = at.get(point);
      const product = identity && hooks.matmul?.(identity.site, asRead(value), identity.W);
      const passed = product && reshape(product, value.axes, sizesOf(value));
      return hooks.at?.(point, passed ?? value) ?? passed;
    },
  });
  const { unembedding, ...rest } = network;
  return {
    ...rest,
    // Where logits themselves are taken apart they have to be made in one piece, by the network.
    ...(unembedding && !identities.some(({ point }) => isBeyond(network, point, unembedding.point)) && { unembedding }),
    sites,
    forward: (weights, x, hooks = {}, padding) => network.forward(weights, x, withProducts(hooks), padding),
    matrix: (weights, name) => {
      const identity = identities.find((site) => site.name === name);
      return identity === undefined ? network.matrix(weights, name) : at.get(identity.point)!.W;
    },
  };
}

/** Whether a hook point is met after another. */
function isBeyond({ points }: Network, point: string, other: string): boolean {
  const placeOf = (name: string): number => points.findIndex((p) => p.name === name);
  return placeOf(point) > placeOf(other);
}

/** A site that is an identity. */
interface Identity extends Site {
  readonly point: string;
}

function eye(size: number): Tensor<"d_in d_out"> {
  const numbers = Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  return constant("d_in d_out", { d_in: size, d_out: size }, numbers);
}

/** How many axes of a value count its rows: `batch`, and `pos` after it. */
const leading = (value: Tensor): readonly string[] =>
  axisNames(value.axes).slice(0, axisNames(value.axes)[1] === "pos" ? 2 : 1);

/** A value as a site reads it: all that is no row side by side, heads for instance. */
function asRead(value: Tensor): Tensor {
  const rows = leading(value);
  const sizes = sizesOf(value);
  const width = sizeOf(value.shape.slice(rows.length));
  return reshape(value, [...rows, "d_in"].join(" "), { ...sizes, d_in: width });
}

/** The network's own sites and those at the points, in the order an activation meets them, found by tracing the network once. */
function sitesInOrder(network: Network, points: ReadonlySet<string>): readonly (Site | Identity)[] {
  const { axes, dtype, sizes, context = 1 } = network.input;
  const x = input("x", axes, { batch: 2, pos: context, ...sizes } as never, dtype);
  const own = new Map(network.sites.map((site) => [site.name, site]));
  const met = new Map<string, Site | Identity>();
  const values = new Map<string, Tensor>();
  let rows = "";
  network.forward(weightInputs(network.weights), x, {
    matmul: (site, activation) => {
      if (!own.has(site.name)) return undefined;
      rows = leading(activation).join(" ");
      met.set(site.name, own.get(site.name)!);
      return undefined;
    },
    at: (point, value) => {
      if (!points.has(point)) return undefined;
      const width = sizeOf(value.shape.slice(leading(value).length));
      met.set(identityAt(point), { name: identityAt(point), dIn: width, dOut: width, point });
      values.set(point, value);
      return undefined;
    },
  });
  for (const [point, value] of values) {
    const counted = leading(value).join(" ");
    if (counted === rows && value.axes !== counted) continue;
    const expected = `expected a value for each of the rows "${rows}" that sites read`;
    throw new MechanistError("BadArgument", `identity at ${point}: ${expected}, got "${value.axes}"`);
  }
  return [...met.values()];
}
