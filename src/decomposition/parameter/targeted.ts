/** What a targeted decomposition is to explain: some input features, or some prompts (tPD; param-decomp SPEC, section 11). */
import { MechanistError } from "../../error.ts";
import type { Network } from "../../network/network.ts";
import { cast, constant, floor, gather, mul, type Tensor, uniform } from "../../tensor/index.ts";
import type { ParameterSettings } from "./settings.ts";

/** Whether settings ask for a part only. */
export function isTargeted({ targetFeatures, targetPrompts }: ParameterSettings): boolean {
  return targetFeatures !== "" || targetPrompts !== "";
}

/**
 * Batches of the target alone.
 *
 * @param batch everything the network is fed
 * @throws `BadArgument` for features or tokens that the network does not have, and for prompts of unequal length
 */
export function targetedBatch(
  network: Network,
  settings: ParameterSettings,
  batch: (size: number, name: string) => Tensor,
): (size: number) => Tensor {
  const { targetFeatures, targetPrompts } = settings;
  if (targetFeatures !== "" && targetPrompts !== "")
    throw new MechanistError("BadArgument", "targetFeatures: expected none where targetPrompts are given, got both");
  if (targetFeatures !== "") {
    const kept = featureMask(network, targetFeatures);
    return (size) => mul(batch(size, "target"), kept) as Tensor;
  }
  const prompts = promptTable(network, targetPrompts);
  const count = prompts.shape[0]!;
  return (size) => {
    const drawn = cast(floor(mul(uniform("target/prompt", "batch", { batch: size }), count)), "i32");
    return gather(prompts, drawn, "prompt" as never);
  };
}

/** 1 at the features that are kept, 0 at the others. */
function featureMask({ input }: Network, text: string): Tensor<"feature"> {
  const count = input.sizes.feature;
  if (count === undefined)
    throw new MechanistError("BadArgument", `targetFeatures: expected a network of features, got one of ${input.axes}`);
  const mask = new Float32Array(count);
  for (const part of text.split(",")) {
    const feature = Number(part.trim());
    if (part.trim() === "" || !Number.isInteger(feature) || feature < 0 || feature >= count)
      throw new MechanistError(
        "BadArgument",
        `targetFeatures: expected numbers from 0 to ${count - 1}, got ${part.trim()}`,
      );
    mask[feature] = 1;
  }
  return constant("feature", { feature: count }, mask);
}

/** The prompts as a table of ids, `prompt pos`. */
function promptTable({ input }: Network, text: string): Tensor {
  const { vocab, context = Infinity } = input;
  if (vocab === undefined)
    throw new MechanistError("BadArgument", `targetPrompts: expected a network of tokens, got one of ${input.axes}`);
  const rows = text
    .split(/[;\n]/)
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => line.split(/[\s,]+/).map((word) => idOf(word, vocab)));
  const pos = rows[0]?.length ?? 0;
  const odd = rows.findIndex((row) => row.length !== pos);
  if (odd >= 0)
    throw new MechanistError(
      "BadArgument",
      `targetPrompts: expected ${pos} tokens in each, as in the first, got ${rows[odd]!.length} in prompt ${odd + 1}`,
    );
  if (pos === 0 || pos > context)
    throw new MechanistError("BadArgument", `targetPrompts: expected prompts of 1 to ${context} tokens, got ${pos}`);
  return constant("prompt pos", { prompt: rows.length, pos }, rows.flat(), "i32");
}

function idOf(word: string, vocab: number): number {
  const id = Number(word);
  if (Number.isInteger(id) && id >= 0 && id < vocab) return id;
  throw new MechanistError("BadArgument", `targetPrompts: expected token ids from 0 to ${vocab - 1}, got ${word}`);
}
