/**
 * Run folders that never ran: the history and the checkpoints of a decomposition that goes from nothing to solved, the same bytes
 * each time.
 */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NamedValues } from "../../src/engine/index.ts";
import { writeSafetensors } from "../../src/file/safetensors.ts";
import { solvedTms, wobble } from "./solved-tms.ts";

export interface FixtureOptions {
  readonly name: string;
  readonly status?: "running" | "finished" | "stopped" | "failed";
  readonly features?: number;
  readonly C?: number;
  readonly identity?: boolean;
  /** Steps written so far, of 10,000. */
  readonly until?: number;
}

const STEPS = 10_000;
const ROW_EVERY = 20;
const CHECKPOINT_EVERY = 1000;

/** A decomposition's folder inside `runs`. Component `slots[f]` is that of feature f. */
export function decomposeFixture(runs: string, options: FixtureOptions): { path: string; slots: readonly number[] } {
  const { name, status = "finished", features = 5, C = 20, identity = false, until = STEPS } = options;
  const path = join(runs, name);
  mkdirSync(join(path, "checkpoints"), { recursive: true });
  const solved = solvedTms({ features, C, identity });
  writeRecord(path, { ...options, status, features, C, identity });
  writeFileSync(join(path, "target.safetensors"), writeSafetensors(solved.weights));
  addRows(path, 0, until);
  for (let step = 0; step <= until; step += CHECKPOINT_EVERY) addCheckpoint(path, step, { features, C, identity });
  return { path, slots: solved.slots };
}

/** Adds the rows after `from`, up to `to`. */
export function addRows(path: string, from: number, to: number): void {
  const rows: string[] = [];
  for (let step = from + ROW_EVERY; step <= to; step += ROW_EVERY) {
    const noisy = (start: number, end: number, spread: number, which: number): number =>
      start * (end / start) ** (step / STEPS) * Math.exp(spread * wobble(step, which));
    const parts = {
      faithfulness: noisy(2e-3, 4e-8, 0.7, 1),
      stochasticRecon: noisy(5e-2, 3e-5, 0.5, 2),
      layerwiseRecon: noisy(3e-2, 1e-5, 0.4, 3),
      importanceMinimality: noisy(3, 0.24, 0.1, 4),
    };
    const loss = parts.faithfulness + parts.stochasticRecon + parts.layerwiseRecon + 3e-3 * parts.importanceMinimality;
    rows.push(JSON.stringify({ step, stage: "decompose", loss, ...parts }));
  }
  appendFileSync(join(path, "metrics.jsonl"), rows.map((row) => `${row}\n`).join(""));
}

/** Adds one checkpoint; the last step's is solved. */
export function addCheckpoint(
  path: string,
  step: number,
  { features = 5, C = 20, identity = false }: Partial<FixtureOptions> = {},
): void {
  const progress = Math.min(1, (step / STEPS) * 1.25);
  const { components } = solvedTms({ features, C, identity, progress });
  writeCheckpoint(path, step, components);
}

/** Writes a checkpoint of given tensors. */
export function writeCheckpoint(path: string, step: number, tensors: NamedValues): void {
  const file = join(path, "checkpoints", `step-${String(step).padStart(6, "0")}.safetensors`);
  writeFileSync(file, writeSafetensors(tensors, { step: String(step), schema: "1" }));
}

/** A trained network's folder inside `runs`: one that has no picture of its own, with two weights and a measured number. */
export function trainFixture(runs: string, name: string): void {
  const path = join(runs, name);
  mkdirSync(join(path, "checkpoints"), { recursive: true });
  const result = {
    steps: 100,
    loss: 0.5,
    success: [{ metric: "prefixMatching", value: 0.625, meaning: "attention to what followed, of 1; chance 0.05" }],
    stepsPerSecond: 50,
    seconds: 2,
  };
  const document = { target: "induction", preset: "default", settings: { steps: 100, seed: 0 } };
  const record = { ...shared(name), kind: "train", status: "finished", document, result };
  writeFileSync(join(path, "run.json"), JSON.stringify(record, undefined, 2));
  writeFileSync(join(path, "metrics.jsonl"), `${JSON.stringify({ step: 100, stage: "train", loss: 0.5 })}\n`);
  const data = Float32Array.from({ length: 12 }, (_, i) => (i === 0 ? -1 : i / 12));
  writeCheckpoint(path, 100, {
    "embed.W_E": { axes: "vocab d_model", shape: [4, 3], dtype: "f32", data },
    "adamw.m/embed.W_E": { axes: "vocab d_model", shape: [4, 3], dtype: "f32", data },
  });
}

/** A judged decomposition of a network without features: its verdict is about outputs alone, in nats. */
export function judgedFixture(runs: string, name: string): void {
  const path = join(runs, name);
  mkdirSync(join(path, "checkpoints"), { recursive: true });
  const target = { target: "induction", preset: "default", settings: { steps: 100, seed: 0 } };
  const document = { method: "spd", preset: "fixture", settings: { components: 2, steps: 100, seed: 0 }, target };
  const site = { l0: 2.5, counts: { l0: { above0: 2.5 } }, components: 2, rank: 3, unmaskedRecon: 0.001 };
  const result = {
    unit: "nats",
    stochasticRecon: 0.25,
    ciMaskedRecon: 0.125,
    unmaskedRecon: 0.001,
    adversarialRecon: 0.75,
    l0: 2.5,
    faithfulness: 1e-6,
    sites: { "blocks.0.attn.W_Q": site },
    gate: {
      text: "divergence under attack at most 0.5",
      source: "a paper",
      passed: false,
      missed: ["divergence 0.75"],
    },
    passed: false,
    warnings: [
      { name: "all on", site: "blocks.0.attn.W_Q", cause: "2 of 2 matter", knob: "raise importanceMinimality" },
    ],
    stepsPerSecond: 50,
  };
  const record = { ...shared(name), kind: "decompose", status: "finished", document, result };
  writeFileSync(join(path, "run.json"), JSON.stringify(record, undefined, 2));
  writeFileSync(join(path, "metrics.jsonl"), `${JSON.stringify({ step: 100, stage: "decompose", loss: 0.5 })}\n`);
  const data = Float32Array.from({ length: 6 }, (_, i) => i / 6);
  writeCheckpoint(path, 100, {
    "blocks.0.attn.W_Q.V": { axes: "d_in C", shape: [3, 2], dtype: "f32", data },
    "blocks.0.attn.W_Q.U": { axes: "C d_out", shape: [2, 3], dtype: "f32", data },
  });
}

/** Writes `run.json`. A run that is said to be running belongs to this process. */
export function writeRecord(path: string, options: FixtureOptions): void {
  const { name, status = "finished", features = 5, C = 20, identity = false } = options;
  const record = {
    ...shared(name),
    kind: "decompose",
    status,
    document: {
      method: "spd",
      preset: "fixture",
      settings: { components: C, gateWidth: 2, steps: STEPS, seed: 0, batch: 4096, learningRate: 1e-3 },
      target: { target: "tms", preset: "fixture", settings: { features, hidden: 2, identity, steps: 1000, seed: 0 } },
    },
    ...(status === "finished" && { result: { stepsPerSecond: 212.4 } }),
    ...(status === "failed" && {
      error: { code: "NotFinite", message: "decompose: step 31: expected a finite loss, got NaN" },
    }),
  };
  writeFileSync(join(path, "run.json"), JSON.stringify(record, undefined, 2));
}

/** What every record has. */
function shared(name: string): object {
  return {
    schema: 1,
    name,
    createdAt: "2026-11-21T09:30:00.000Z",
    pid: process.pid,
    pidStarted: "",
    digest: "0123456789abcdef".repeat(4),
    environment: {
      mechanist: "0.1.0",
      node: "20.19.0",
      onnxruntime: "1.30.0",
      platform: "linux",
      arch: "x64",
      cpus: 2,
      device: "cpu",
      threads: null,
    },
  };
}
