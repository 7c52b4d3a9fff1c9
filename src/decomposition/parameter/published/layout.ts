/**
 * Components as the SPD repository keeps them (goodfire-ai/spd, February 2026, `ComponentModel`): `final_config.yaml` and a state whose tensors are
 * called `_components.<module>.V` (`d_in C`), `_components.<module>.U` (`C d_out`) and `_ci_fns.<module>.layers.…`, with `-` for each `.` of the module's path.
 * There the state is a pickle, `model_<step>.pth`; here it is the same names in safetensors.
 *
 * Certain are the names of the toys' modules and of the repository's simple Llama; of other networks, of global importance functions and of what
 * became of the format later nothing is said here.
 */
import { MechanistError } from "../../../error.ts";
import { type NamedValues, type Values, values } from "../../../engine/index.ts";
import type { Network } from "../../../network/network.ts";
import { sizeOf } from "../../../tensor/index.ts";
import type { ImportanceFunction, Slots } from "../importance/importance.ts";
import { componentWeights } from "../parameter-decomposition.ts";

/** Our names of matrices in a block, and the repository's. */
const BLOCK: Readonly<Record<string, string>> = {
  "attn.W_Q": "attn.q_proj",
  "attn.W_K": "attn.k_proj",
  "attn.W_V": "attn.v_proj",
  "attn.W_O": "attn.o_proj",
  "mlp.W_in": "mlp.c_fc",
  "mlp.W_out": "mlp.down_proj",
};
const FEATURES: Readonly<Record<string, string>> = { "mlp.W_in": "mlp_in", "mlp.W_out": "mlp_out" };
const WHOLE: Readonly<Record<string, string>> = {
  linear1: "linear1",
  linear2: "linear2",
  identity: "hidden_layers.0",
  "embed.W_E": "wte",
};

/**
 * The path of a site's module in the repository's networks.
 *
 * @throws `Refused` for a site that none of them has
 */
export function modulePath({ input }: Pick<Network, "input">, site: string): string {
  const [, layer, matrix] = /^blocks\.(\d+)\.(.+)$/.exec(site) ?? [];
  const inBlock = input.vocab === undefined ? FEATURES : BLOCK;
  if (layer !== undefined && inBlock[matrix!] !== undefined)
    return `${input.vocab === undefined ? "layers" : "h"}.${layer}.${inBlock[matrix!]}`;
  if (WHOLE[site] !== undefined) return WHOLE[site];
  throw new MechanistError("Refused", `${site}: expected a site that a module of the SPD repository has, got another`);
}

/** One of our tensors, and the one that it is there. */
interface Pairing {
  readonly own: string;
  readonly axes: string;
  readonly shape: readonly number[];
  readonly published: string;
  readonly publishedShape: readonly number[];
  /** Whether its last two axes change places. */
  readonly turned: boolean;
}

function pairings(network: Network, slots: readonly Slots[], importance: ImportanceFunction): Pairing[] {
  const keys = new Map(slots.map(({ site }) => [site.name, modulePath(network, site.name).replaceAll(".", "-")]));
  const specs = componentWeights(slots, importance);
  const hiddenLayers = (site: string): number =>
    specs.filter(({ name }) => name.startsWith(`importance.${site}.W_`)).length;
  return specs.map(({ name, axes, shape }) => {
    const site = slots.find((s) => name.startsWith(`${s.site.name}.`) || name.startsWith(`importance.${s.site.name}.`));
    const own = { own: name, axes, shape };
    const key = site && keys.get(site.site.name)!;
    const part = site && name.slice(name.indexOf(site.site.name) + site.site.name.length + 1);
    const ci = (layer: number, letter: string, publishedShape: readonly number[], turned = false): Pairing => ({
      ...own,
      ...{ published: `_ci_fns.${key}.layers.${layer}.${letter}`, publishedShape, turned },
    });
    const [C, width, dIn] = shape as [number, number, number?];
    switch (part) {
      case "V":
      case "U":
        return { ...own, published: `_components.${key}.${part}`, publishedShape: shape, turned: false };
      case "gate.W_in":
        return ci(0, "W", [C, dIn ?? 1, width], dIn !== undefined);
      case "gate.b_in":
        return ci(0, "b", shape);
      case "gate.W_out":
        return ci(2, "W", [C, width, 1]);
      case "gate.b_out":
        return ci(2, "b", [C, 1]);
      case "head.W":
        return ci(2 * hiddenLayers(site!.site.name), "W", shape);
      case "head.b":
        return ci(2 * hiddenLayers(site!.site.name), "b", shape);
      default: {
        const [, letter, layer] = /^([Wb])_(\d+)$/.exec(part ?? "") ?? [];
        if (letter !== undefined) return ci(2 * Number(layer), letter, shape);
        const wanted = "importance of gate, vector-mlp or layerwise-mlp, which the SPD repository has";
        throw new MechanistError("Refused", `${name}: expected ${wanted}, got another`);
      }
    }
  });
}

/** The last two axes of a tensor in each other's place. */
function turnedData({ data }: Values, shape: readonly number[]): Float32Array {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const size = rows * columns;
  return Float32Array.from(data, (_, i) => {
    const [block, at] = [Math.floor(i / size), i % size];
    return data[block * size + (at % rows) * columns + Math.floor(at / rows)]!;
  });
}

/** Components under the repository's names. */
export function asPublished(
  network: Network,
  slots: readonly Slots[],
  importance: ImportanceFunction,
  components: NamedValues,
): NamedValues {
  return Object.fromEntries(
    pairings(network, slots, importance).map(({ own, shape, published, publishedShape, turned }) => {
      const tensor = components[own]!;
      const data = turned ? turnedData(tensor, shape) : Float32Array.from(tensor.data);
      const axes = publishedShape.map((__, i) => `axis${i}`).join(" ");
      return [published, values(axes, publishedShape, data)];
    }),
  );
}

/** How many slots each site has among published tensors; a site that is not there has none. */
export function publishedSlots(network: Network, tensors: NamedValues): Slots[] {
  const all = [...network.sites, ...(network.furtherSites ?? [])];
  return all.flatMap((site) => {
    const V = tensors[`_components.${modulePath(network, site.name).replaceAll(".", "-")}.V`];
    return V === undefined ? [] : [{ site, C: V.shape[1]! }];
  });
}

/**
 * Published components under our names.
 *
 * @throws `BadFile` for a tensor that is missing or has another shape
 */
export function fromPublished(
  network: Network,
  slots: readonly Slots[],
  importance: ImportanceFunction,
  tensors: NamedValues,
): NamedValues {
  return Object.fromEntries(
    pairings(network, slots, importance).map(({ own, axes, shape, published, publishedShape, turned }) => {
      const tensor = tensors[published];
      if (tensor === undefined) throw new MechanistError("BadFile", `components: expected ${published}, got none`);
      if (tensor.shape.join("×") !== publishedShape.join("×") || sizeOf(tensor.shape) !== tensor.data.length) {
        const told = `expected ${publishedShape.join("×")}, got ${tensor.shape.join("×")}`;
        throw new MechanistError("BadFile", `components: ${published}: ${told}`);
      }
      const data = turned ? turnedData(tensor, publishedShape) : Float32Array.from(tensor.data);
      return [own, values(axes, shape, data)];
    }),
  );
}
