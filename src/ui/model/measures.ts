/** The numbers of a verdict, with what each establishes and what it does not. One table, shown wherever a number is. */

export interface Measure {
  readonly name: string;
  readonly label: string;
  /** What a solved run has, where there is such a thing. */
  readonly wanted?: string;
  /** Decimals, where they are compared with a bound; else three significant digits. */
  readonly decimals?: number;
  readonly unit: string;
  readonly establishes: string;
  readonly leavesOpen: string;
}

export const MEASURES: readonly Measure[] = [
  {
    name: "targetCiError",
    label: "target-CI error",
    wanted: "0",
    unit: "entries of the probe's importances, summed over sites, tolerance 0.1",
    establishes: "0 means that each one-hot input needs exactly the components that the known mechanisms ask for",
    leavesOpen: "whether the same holds on inputs with several active features",
  },
  {
    name: "mmcs",
    label: "MMCS",
    wanted: "≥ 0.995",
    decimals: 3,
    unit: "mean cosine over features, 1 at best",
    establishes: "for every feature some component writes in the direction in which the network writes it",
    leavesOpen: "that components are few, or one to a feature: among many random directions one is always near",
  },
  {
    name: "ml2r",
    label: "ML2R",
    wanted: "0.97 – 1.03",
    decimals: 3,
    unit: "mean ratio of lengths over features, 1 at best",
    establishes: "those same components are as long as what they stand for; below 1 they have shrunk",
    leavesOpen: "that nothing else is written besides them",
  },
  {
    name: "alive",
    label: "alive",
    unit: "components, all sites",
    establishes: "how many components have an importance above 0.1 on some one-hot input",
    leavesOpen: "that the others do nothing: take the dead out below and look",
  },
  {
    name: "l0",
    label: "L0",
    decimals: 2,
    unit: "components an input, all sites, mean over fresh data",
    establishes: "how many components an input of the training kind uses on average",
    leavesOpen: "that these suffice; CI-masked reconstruction says so",
  },
  {
    name: "stochasticRecon",
    label: "stochastic",
    unit: "mean squared error of the output, fresh data",
    establishes: "the output survives random removal of what is said not to matter",
    leavesOpen: "the worst removal: an average hides rare failures",
  },
  {
    name: "ciMaskedRecon",
    label: "CI-masked",
    unit: "mean squared error of the output, fresh data",
    establishes: "what is said to matter is enough for the output",
    leavesOpen: "whether what was removed would have mattered in other company",
  },
  {
    name: "adversarialRecon",
    label: "adversarial",
    unit: "mean squared error of the output, 20 steps of sign-PGD, sources shared by the batch",
    establishes: "the output survives the worst removal that an attack found",
    leavesOpen: "that no worse removal exists",
  },
  {
    name: "unmaskedRecon",
    label: "unmasked",
    unit: "mean squared error of the output, fresh data",
    establishes: "all components together do what the network does",
    leavesOpen: "anything about single components",
  },
  {
    name: "explainedVariance",
    label: "explained variance",
    decimals: 4,
    unit: "part of the variance at the hook points that are written, mean over them; predicting the mean scores 0",
    establishes: "all components together copy the activations so well",
    leavesOpen: "what the network does with them: a small part of the variance may carry all of the effect",
  },
  {
    name: "faithfulness",
    label: "faithfulness",
    unit: "mean squared error over the entries of all matrices",
    establishes: "the components add up to the network's weights",
    leavesOpen: "that they are its mechanisms: any factorisation adds up",
  },
];

/**
 * The measures to show of a verdict: those it has, or while the run goes on those it will have. Where the unmasked output stands for the
 * mechanisms, which nobody knows, it is one of them.
 *
 * @param unit of divergences, where it is not squared error
 */
export function measuresOf(numbers: Readonly<Record<string, number | undefined>>, unit?: string): Measure[] {
  const judged = numbers.stochasticRecon !== undefined;
  const inUnit = (measure: Measure): Measure =>
    unit === undefined
      ? measure
      : {
          ...measure,
          unit: measure.unit.replace("mean squared error of the output", `divergence in ${unit} a position`),
        };
  return MEASURES.filter(({ name }) => !judged || numbers[name] !== undefined)
    .filter(({ name }) => judged || name !== "explainedVariance")
    .filter(({ name }) => name !== "unmaskedRecon" || numbers.targetCiError === undefined)
    .map(inUnit);
}

/** The quantities of a training step, as their chart says them. */
export const CURVES: Readonly<Record<string, string>> = {
  loss: "what the optimiser lowers: the weighted sum of the others",
  faithfulness: "mean squared difference between the components' sum and the network's weights",
  stochasticRecon: "mean squared error of the output with random masks at all sites",
  layerwiseRecon: "the same with masks at one site at a time, mean over sites",
  importanceMinimality: "sum of importances to the power p, mean over the batch",
  msPerStep: "milliseconds a step took, mean since the row before; falls as components leave the program",
  flopsPerStep: "floating-point operations of a step's products; fall as components leave the program",
};
