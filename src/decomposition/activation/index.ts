/** Decompositions of activations: components are written at hook points. */
export { ActivationDecomposition } from "./activation-decomposition.ts";
export { type Coder, pointRows, type Reading, readsBeforeWriting } from "./coder.ts";
