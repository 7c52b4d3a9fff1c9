/** The dictionaries of a decomposition, as files have them. */
import { MechanistError } from "../../../error.ts";
import { ActivationDecomposition } from "../../activation/activation-decomposition.ts";
import type { Coder } from "../../activation/coder.ts";
import type { CrossLayerCoder } from "../../clt/cross-layer.ts";
import type { Decomposition } from "../../decomposition.ts";
import type { DictionaryCoder } from "../coder.ts";
import type { Claims, Origin, Stored, StoredWeights } from "./stored.ts";

/**
 * What a decomposition's dictionaries are.
 *
 * @param claims what was measured of each site's
 * @throws `BadArgument` for a decomposition that is no dictionary, nor several
 */
export function storedOf(
  name: string,
  decomposition: Decomposition,
  origin: Origin,
  claims: Readonly<Record<string, Claims>> = {},
): Stored {
  const coders = decomposition instanceof ActivationDecomposition ? decomposition.coders : [];
  const weightsOf = ({ site }: Coder): StoredWeights => {
    const prefix = `${site.name}.`;
    const own = Object.entries(decomposition.values).filter(([weight]) => weight.startsWith(prefix));
    return Object.fromEntries(own.map(([weight, tensor]) => [weight.slice(prefix.length), tensor]));
  };
  const layers = coders.filter((coder): coder is CrossLayerCoder => "crossLayer" in coder);
  if (layers.length > 0 && layers.length === coders.length) {
    return {
      kind: "cross-layer",
      transcoder: {
        code: layers[0]!.crossLayer.code,
        ...origin,
        layers: layers.map((coder) => ({
          reads: coder.crossLayer.reads,
          writes: coder.crossLayer.site,
          weights: weightsOf(coder),
        })),
        claims: {},
      },
    };
  }
  const dictionaries = coders.filter((coder): coder is DictionaryCoder => "dictionary" in coder);
  if (dictionaries.length > 0 && dictionaries.length === coders.length) {
    return {
      kind: "dictionaries",
      dictionaries: dictionaries.map((coder) => {
        const { shape, reads, writes, k, normalization = "none" } = coder.dictionary;
        return {
          ...{ code: shape.code, reads, writes, ...origin },
          // One number for all rows is folded into the weights.
          normalization: normalization === "expected_average_only_in" ? "none" : normalization,
          // Other latents than the k largest are kept by something else.
          ...(shape.code === "topk" && { k: k! }),
          weights: weightsOf(coder),
          claims: claims[coder.site.name] ?? {},
        };
      }),
    };
  }
  throw new MechanistError("BadArgument", `export: expected dictionaries or transcoders, got ${name}`);
}
