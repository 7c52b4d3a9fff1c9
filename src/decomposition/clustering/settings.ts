/** Everything that decides a clustering. */
import { z } from "zod";
import { MechanistError } from "../../error.ts";
import { named } from "../../settings.ts";
import { SAMPLER_DEFAULTS, type SamplerName } from "./samplers.ts";

/** How the next pair is chosen. */
export type SamplerChoice =
  { readonly name: "greedy" | "chain" } | { readonly name: SamplerName; readonly number: number };

const CHOICES = { greedy: undefined, chain: undefined, ...SAMPLER_DEFAULTS };

export const clusterSettings = z.strictObject({
  alpha: z.number().gt(0).max(1e6).default(1).describe("α, bits for each rank-one piece that is carried along"),
  threshold: z.number().min(0).lt(1).default(0.01).describe("τ: a component fires where its importance exceeds this"),
  positions: z.int().min(1).max(100_000_000).default(16_384).describe("how many positions are looked at"),
  sampler: z
    .string()
    .default("greedy")
    .describe("how pairs are chosen: greedy, chain, range=0.05, mcmc=0.001 or exp-rank=0.2"),
  ensemble: z.int().min(1).max(100).default(3).describe("how many clusterings, each of positions of its own"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of positions and samplers"),
});
export type ClusterSettings = z.infer<typeof clusterSettings>;

/**
 * Reads `greedy`, or `range=0.1`: a sampler, with its number where it has one and the usual is not wanted.
 *
 * @throws `UnknownName` with the nearest name; `BadArgument` for a number that is not above 0
 */
export function samplerFrom(text: string): SamplerChoice {
  const [name, given] = text.split("=", 2) as [string, string?];
  const usual = named("sampler", name, CHOICES);
  if (usual === undefined) {
    if (given === undefined) return { name: name as "greedy" | "chain" };
    throw new MechanistError("BadArgument", `sampler ${name}: expected no number, got ${given}`);
  }
  const number = given === undefined ? usual : Number(given);
  if (given === "" || !(number > 0) || number === Infinity) {
    throw new MechanistError("BadArgument", `sampler ${name}: expected a number above 0, got ${given || "none"}`);
  }
  return { name: name as SamplerName, number };
}
