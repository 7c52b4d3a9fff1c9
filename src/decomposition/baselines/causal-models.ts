/** Networks whose causal model is known, with what distributed alignment search needs: pairs of inputs whose counterfactual label the model gives, and how outputs are read. */
import { EQUALITIES, equalityPairs, type Equality } from "../../data/hierarchical-equality.ts";
import type { Pairs, Readout } from "../../intervention/alignment/interchange.ts";
import { cast, crossEntropy, equal, greater, relabel, select, type Tensor } from "../../tensor/index.ts";
import type { TrainDocument } from "../../training/target.ts";

/** The causal model of a target. */
export interface KnownCausalModel {
  /** What may be looked for. */
  readonly variables: readonly string[];
  /** Pairs with the label of the base where the variable is as the source has it. */
  pairs(settings: TrainDocument["settings"], variable: string, batch: number): Pairs;
  readonly readout: Readout;
}

const answers = (output: Tensor): Tensor<"batch output"> => relabel(output, "batch output");

/** By the name of the target. */
export const CAUSAL_MODELS: Readonly<Record<string, KnownCausalModel>> = {
  "hierarchical-equality": {
    variables: EQUALITIES,
    pairs: (settings, variable, batch) => {
      const options = { batch, dimensions: Number(settings.dimensions) };
      const { base, source, label } = equalityPairs("pairs", options, variable as Equality);
      return {
        base: relabel(base.x, "batch feature"),
        source: relabel(source.x, "batch feature"),
        label: cast(label, "i32"),
      };
    },
    readout: {
      loss: (output, label) => crossEntropy(answers(output), label, "output"),
      correct: (output, label) => {
        const says = greater(select(answers(output), "output", 1), select(answers(output), "output", 0));
        return equal(cast(says, "i32"), label);
      },
    },
  },
};
