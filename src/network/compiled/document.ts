/** Compiled programs as documents: what stands in `network.json` beside the weights. `docs/formats.md` says what is in it. */
import type { NamedValues } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import { isTable } from "../../file/json.ts";
import type { TransformerConfig } from "../transformer/config.ts";
import { transformerWeights } from "../transformer/weights.ts";
import type { Circuit } from "./circuit.ts";
import { type CompiledProgram, compileProgram, type CompileSettings } from "./compile-program.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** The version of the document. */
const SCHEMA = 1;

export interface CompiledDocument {
  readonly schema: number;
  readonly kind: "compiled";
  readonly program: string;
  readonly settings: CompileSettings;
  readonly config: TransformerConfig;
  readonly vocabulary: Vocabulary;
  readonly directions: readonly string[];
  readonly circuit: Circuit;
  readonly outside: Circuit;
}

/** All there is to know of a compiled program, but for its numbers. */
export function compiledDocument(compiled: CompiledProgram): CompiledDocument {
  const { name: program, settings, config, vocabulary, directions, circuit, outside } = compiled;
  return { schema: SCHEMA, kind: "compiled", program, settings, config, vocabulary, directions, circuit, outside };
}

/**
 * A compiled program from its document and weights. The program is compiled again, and the document has to be what comes of that: a
 * circuit is the truth about its network only if nobody has changed one of them. Weights are taken as they are, for whoever wants to train
 * or damage a network whose circuit was known.
 *
 * @param where names the document in an error
 * @throws `BadFile`; `NewerSchema`
 */
export function openCompiled(where: string, document: unknown, tensors: NamedValues): CompiledProgram {
  if (!isTable(document) || document.kind !== "compiled" || typeof document.program !== "string") {
    throw new MechanistError("BadFile", `${where}: expected the document of a compiled program, got something else`);
  }
  if (typeof document.schema !== "number" || document.schema > SCHEMA) {
    throw new MechanistError("NewerSchema", `${where}: expected schema ${SCHEMA}, got ${String(document.schema)}`);
  }
  const compiled = recompiled(where, document.program, isTable(document.settings) ? document.settings : {});
  const wanted: Readonly<Record<string, unknown>> = { ...compiledDocument(compiled) };
  for (const [key, value] of Object.entries(wanted)) {
    if (JSON.stringify(document[key]) !== JSON.stringify(value)) {
      const message = `${where}: expected the ${key} that compiling ${document.program} gives, got another`;
      throw new MechanistError("BadFile", message, { key });
    }
  }
  const weights = transformerWeights(compiled.config).map(({ name, axes, shape }) => {
    const found = tensors[name];
    if (found?.dtype !== "f32" || found.shape.join() !== shape.join()) {
      const got = found === undefined ? "none" : `${found.dtype} of ${found.shape.join("×")}`;
      throw new MechanistError(
        "BadFile",
        `${where}: ${name}: expected f32 "${axes}" of ${shape.join("×")}, got ${got}`,
      );
    }
    return [name, { ...found, axes }] as const;
  });
  return { ...compiled, weights: Object.fromEntries(weights) };
}

function recompiled(where: string, program: string, settings: Readonly<Record<string, unknown>>): CompiledProgram {
  try {
    return compileProgram(program, settings);
  } catch (cause) {
    if (!(cause instanceof MechanistError)) throw cause;
    throw new MechanistError("BadFile", `${where}: ${cause.message}`, cause.details, { cause });
  }
}
