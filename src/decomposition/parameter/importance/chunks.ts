/** Which sites share an importance transformer and what it reads, from text, as settings have them. */
import { MechanistError } from "../../../error.ts";
import { resolvePoint } from "../../../network/hook-names.ts";
import { type HookPoint, type Network, weightInputs } from "../../../network/network.ts";
import { named } from "../../../settings.ts";
import { axisNames, axisSize, input, sizeOf, type Tensor } from "../../../tensor/index.ts";
import type { Chunk, Tap } from "./transformer.ts";

/**
 * The chunks of a network's sites.
 *
 * @param chunks `all`, `block` (the sites of a block; a site outside of blocks is alone), `site`, or the names of sites, with commas between and
 *               semicolons between chunks
 * @param taps   `inputs` (what goes into a chunk's sites), `residual` (the stream where each block begins, of all blocks), or the names of
 *               hook points, with commas between; with semicolons, one for each chunk in turn
 * @throws       `UnknownName` for sites and hook points that are not there; `BadArgument` unless each site is in one chunk
 */
export function chunksOf(network: Network, chunks: string, taps: string): Chunk[] {
  const groups = groupsOf(network, chunks);
  const texts = taps.split(";");
  if (texts.length !== 1 && texts.length !== groups.length) {
    throw new MechanistError("BadArgument", `importanceTaps: expected 1 or ${groups.length}, got ${texts.length}`);
  }
  const read = texts.map((text) =>
    text.trim() === "inputs" ? {} : { taps: tapsAt(network, pointsIn(network, text)) },
  );
  return groups.map((sites, i) => ({ sites, ...(read[i] ?? read[0]!) }));
}

function groupsOf(network: Network, text: string): string[][] {
  const names = network.sites.map(({ name }) => name);
  if (text === "all") return [names];
  if (text === "site") return names.map((name) => [name]);
  if (text === "block") {
    const groups = new Map<string, string[]>();
    for (const name of names) {
      const block = /^blocks\.\d+(?=\.)/.exec(name)?.[0] ?? name;
      groups.set(block, [...(groups.get(block) ?? []), name]);
    }
    return [...groups.values()];
  }
  const table = Object.fromEntries(network.sites.map((site) => [site.name, site]));
  const groups = text.split(";").map((group) => group.split(",").map((name) => named("site", name.trim(), table).name));
  for (const name of names) {
    const times = groups.flat().filter((other) => other === name).length;
    if (times !== 1) {
      throw new MechanistError("BadArgument", `importanceChunks: expected ${name} in one chunk, got it in ${times}`);
    }
  }
  return groups;
}

function pointsIn(network: Network, text: string): HookPoint[] {
  if (text.trim() !== "residual") return text.split(",").map((name) => resolvePoint(network, name.trim()));
  const found = network.points.filter(({ name }) => /^blocks\.\d+\.hook_resid_pre$/.test(name));
  if (found.length > 0) return found;
  throw new MechanistError("BadArgument", "importanceTaps: expected a network with a residual stream, got one without");
}

/** How wide hook points are where the network is traced once: what each holds for an example, and position where there are any. */
function tapsAt(network: Network, points: readonly HookPoint[]): Tap[] {
  const { axes, dtype, sizes, context = 1 } = network.input;
  const x = input("x", axes, { batch: 1, pos: context, ...sizes } as never, dtype);
  const held = new Map<string, Tensor>();
  let read = "batch";
  network.forward(weightInputs(network.weights), x, {
    matmul: (_, activation) => {
      read = activation.axes.replace(/ d_in$/, "");
      return undefined;
    },
    at: (point, value) => {
      held.set(point, value);
      return undefined;
    },
  });
  return points.map(({ name }) => {
    const value = held.get(name)!;
    const rest = value.axes.replace(`${read} `, "");
    if (value.axes === `${read} ${rest}` && !axisNames(rest).includes("pos")) {
      return { point: name, width: sizeOf(axisNames(rest).map((axis) => axisSize(value, axis))) };
    }
    const wanted = `expected "${read} …", which is what sites read`;
    throw new MechanistError("BadArgument", `importanceTaps ${name}: ${wanted}, got "${value.axes}"`);
  });
}
