/** `mechanist compile`: a program made into a network, in a folder of its own, with the circuit that is known to be true. */
import { mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { MechanistError } from "../error.ts";
import { diskFailure, writeAtomic } from "../file/node-atomic.ts";
import { writeSafetensors } from "../file/safetensors.ts";
import type { Circuit } from "../network/compiled/circuit.ts";
import { type CompiledProgram, compileProgram } from "../network/compiled/compile-program.ts";
import { compiledDocument } from "../network/compiled/document.ts";
import { newRunPath } from "../run/runs.ts";
import { shownPath, table } from "./format.ts";
import type { CommonOptions } from "./main.ts";
import { settingsGiven } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface CompileOptions extends CommonOptions {
  readonly set?: readonly string[];
  readonly seed?: string;
  readonly out?: string;
}

export async function compileCommand(program: string, options: CompileOptions, terminal: Terminal): Promise<void> {
  const compiled = compileProgram(program, await settingsGiven(options));
  const path = options.out === undefined ? resolve(await newRunPath(`compiled-${program}`)) : await made(options.out);
  await writeAtomic(join(path, "model.safetensors"), writeSafetensors(compiled.weights, { schema: "1" }));
  await writeAtomic(join(path, "circuit.safetensors"), writeSafetensors({ basis: compiled.basis }, { schema: "1" }));
  // Last, so that a folder that has it is whole.
  await writeAtomic(join(path, "network.json"), `${JSON.stringify(compiledDocument(compiled), null, 2)}\n`);
  const { settings, circuit, outside } = compiled;
  const count = ({ nodes, edges }: Circuit): object => ({ nodes: nodes.length, edges: edges.length });
  terminal.document("compile", { path, program, settings, circuit: count(circuit), outside: count(outside) });
  terminal.print(described(compiled, path));
}

/** The folder asked for, which must be new or empty. */
async function made(out: string): Promise<string> {
  const path = resolve(out);
  const taken = await mkdir(path, { recursive: true })
    .then(() => readdir(path))
    .catch((cause: unknown) => {
      throw diskFailure(path, cause);
    });
  if (taken.length === 0) return path;
  throw new MechanistError("BadArgument", `${out}: expected a new or empty folder, got one with files in it`);
}

function described({ name, config, circuit, outside }: CompiledProgram, path: string): string {
  const { layers, dModel, attention, mlp } = config;
  const shape = `layers ${layers}, heads ${attention.heads}, hidden units ${mlp?.dMlp ?? 0}, d_model ${dModel}`;
  const parts = circuit.nodes.filter(({ address }) => address !== "unembed");
  const rows = parts.map(({ address, computes }) => [address, computes]);
  return [
    `${name}: ${shape}; ${shownPath(path)}`,
    `true circuit: ${parts.length} parts, ${circuit.edges.length} edges; beside it ${outside.nodes.length} parts, ${outside.edges.length} edges`,
    "",
    table(["part", "computes"], rows),
  ].join("\n");
}
