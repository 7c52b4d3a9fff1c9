/** The families of networks that can be opened: a new one is an entry here, and a golden. */
import { MechanistError } from "../../error.ts";
import { describeJson } from "../../file/json.ts";
import { nearest } from "../../nearest.ts";
import type { Family } from "./family.ts";
import { GPT2, GPT_NEO, GPT_NEOX } from "./gpt.ts";
import { GEMMA, GEMMA2, LLAMA, MISTRAL, QWEN2, QWEN3 } from "./llama.ts";

/** By what `model_type` says. */
export const FAMILIES: Readonly<Record<string, Family>> = {
  gpt2: GPT2,
  gpt_neo: GPT_NEO,
  gpt_neox: GPT_NEOX,
  llama: LLAMA,
  mistral: MISTRAL,
  qwen2: QWEN2,
  qwen3: QWEN3,
  gemma: GEMMA,
  gemma2: GEMMA2,
};

/**
 * The family of a `config.json`: what `model_type` says, and where it says nothing, `architectures`. Both must agree.
 *
 * @throws `BadFile` with the nearest that there is
 */
export function familyOf(config: Readonly<Record<string, unknown>>, where: string): readonly [string, Family] {
  const { model_type: type, architectures = [] } = config;
  const given = Array.isArray(architectures) ? (architectures as readonly unknown[]) : [architectures];
  const [architecture] = given;
  if (type === undefined || type === null) {
    const entry = Object.entries(FAMILIES).find(([, family]) => family.architectures.includes(architecture as string));
    if (entry !== undefined) return entry;
    const known = Object.values(FAMILIES).map((family) => family.architectures[0]!);
    throw unknownFamily(where, "architectures", known, architecture);
  }
  if (typeof type !== "string" || !Object.hasOwn(FAMILIES, type)) {
    throw unknownFamily(where, "model_type", Object.keys(FAMILIES), type);
  }
  const family = FAMILIES[type]!;
  if (architecture === undefined || family.architectures.includes(architecture as string)) return [type, family];
  const expected = `${family.architectures.join(" or ")}, for model_type is ${type}`;
  throw new MechanistError(
    "BadFile",
    `${where}: architectures: expected ${expected}, got ${describeJson(architecture)}`,
  );
}

function unknownFamily(where: string, field: string, known: readonly string[], got: unknown): MechanistError {
  const close = typeof got === "string" ? nearest(got, known) : undefined;
  const hint = close === undefined ? "" : `; the nearest is ${close}`;
  return new MechanistError(
    "BadFile",
    `${where}: ${field}, which with ${field === "model_type" ? "architectures" : "model_type"} decides the family: ` +
      `expected one of ${known.join(", ")}, got ${describeJson(got)}${hint}`,
    { field, nearest: close },
  );
}
