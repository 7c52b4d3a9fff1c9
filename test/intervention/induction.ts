/** The induction circuit written by hand, ready to run, and what it is run on. */
import { edgeName, type Edge } from "../../src/intervention/edges/graph.ts";
import { handCodedInduction } from "../../src/network/compiled/induction.ts";
import { RunnableNetwork } from "../../src/network/run.ts";
import { foldIn, keyFromSeed, randomPermutation } from "../../src/tensor/index.ts";

/** @param beta what attention scores are multiplied by: at 1 attention is undecided, at 100 it is all or nothing */
export function openInduction(beta: number): RunnableNetwork {
  const { network, weights } = handCodedInduction({ beta });
  return new RunnableNetwork(network, weights);
}

const NAMES = new Set(handCodedInduction({ beta: 1 }).trueEdges.map(edgeName));
export const isTrue = (edge: Edge): boolean => NAMES.has(edgeName(edge));

/** Sequences that are a permutation of the 8 tokens, twice. The next token after the last is the first. */
export function repeated(count: number, seed: number): number[][] {
  return Array.from({ length: count }, (_, i) => {
    const order = randomPermutation(foldIn(keyFromSeed(seed), i), 8);
    return [...order, ...order];
  });
}
