/**
 * The null of what is said of a trained network: the same network with the numbers of each weight in a random order. Sizes, and how large
 * numbers are, stay; what training put where is gone (Adebayo et al. 2018 draw weights anew; a shuffle needs no knowledge of how they began).
 */
import type { NamedValues, Values } from "../engine/index.ts";
import type { RunnableNetwork } from "../network/run.ts";
import { foldIn, type Key, randomPermutation } from "../tensor/index.ts";

/** Each weight's numbers in a random order; those of which `keep` says so stay as they are. */
export function shuffledWeights(
  weights: NamedValues,
  key: Key,
  keep: (name: string) => boolean = () => false,
): NamedValues {
  return Object.fromEntries(
    Object.entries(weights).map(([name, values]) => [name, keep(name) ? values : shuffled(values, foldIn(key, name))]),
  );
}

function shuffled(values: Values, key: Key): Values {
  const order = randomPermutation(key, values.data.length);
  return { ...values, data: values.data.map((_, i) => values.data[order[i]!]!) as Values["data"] };
}

/** Does something with the network as it is, and with its weights shuffled. */
export async function withShuffled<T>(
  runnable: RunnableNetwork,
  key: Key,
  look: (network: RunnableNetwork) => Promise<T>,
): Promise<{ readonly own: T; readonly shuffled: T }> {
  const own = await look(runnable);
  const other = runnable.withWeights(shuffledWeights(runnable.weights, key));
  try {
    return { own, shuffled: await look(other) };
  } finally {
    await other.dispose();
  }
}
