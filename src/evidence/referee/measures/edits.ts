/**
 * Edits: one mechanism is removed everywhere, all else and the remainder in. Where it was said to be active the output should change; where it was said not
 * to be, it should not.
 */
import { meanOfNumbers } from "../../../intervention/bootstrap.ts";
import { foldIn, keyFromSeed, randomPermutation } from "../../../tensor/index.ts";
import { withoutOne } from "../leave-one-out.ts";
import type { Edit, MeasureText, Note } from "../scoreboard.ts";
import { MechanistError } from "../../../error.ts";
import type { Heard, Hearing } from "./hearing.ts";
import { readOff, rungsAround } from "./matched.ts";

/** How many mechanisms are removed, one after the other. */
const MOST = 12;
/** Places where a mechanism must be active, and not active, for its removal to be judged. */
const PLACES = 4;

/** A part of chance that float32 rounds. */
const ROUNDING = 1e-9;

const TEXT: MeasureText = {
  title: "edits",
  formula:
    "mean over mechanisms of on / (on + off), on = mean D(f | mechanism removed) where it is active, off = where it is not",
  source:
    "on-target against off-target effects of edits: Meng et al. 2022 (ROME, specificity), Karvonen et al. 2025 (SAEBench)",
  unit: "0.5 by chance, 1 all of the change is where it should be",
  reduction:
    "mean over up to 12 mechanisms drawn by a seed among those that are active in some places and not in others",
  better: "higher",
  establishes: "that what a method says of when a component matters predicts where removing it changes the output",
  doesNotEstablish:
    "anything of a family whose inactive components carry nothing, for nothing can change there; that the change is the one that was meant, nor that the component is all that the mechanism has",
};

export async function edits({ trial, chance, matchedSize, natural }: Hearing): Promise<Heard> {
  const { probe, subject } = trial;
  // Where all are fewer than that, half of them: of what is active everywhere nothing can be asked.
  const size = Math.min(matchedSize, trial.units / 2);
  // Not more than all have, and not what the method itself calls inactive.
  const rungs = await rungsAround(trial, size, natural);
  const byRung: Map<string, Places>[] = [];
  for (const { threshold } of rungs) byRung.push(await activePlaces(trial, threshold));
  const [active] = byRung as [Map<string, Places>];
  // The same on every board, as far as they can be asked about: which mechanisms is a choice, not a sample of prompts.
  const all = [...active];
  const candidates = randomPermutation(foldIn(keyFromSeed(0), "edits"), all.length)
    .map((i) => all[i]!)
    .filter(([, { count, places }]) => count >= PLACES && places - count >= PLACES)
    .slice(0, MOST);
  if (candidates.length === 0) {
    const what = `a component that is active in ${PLACES} places and not in ${PLACES}`;
    throw new MechanistError("Refused", `${subject.name}: edits: expected ${what}, got none among ${active.size}`);
  }
  const channels: Float64Array[][] = rungs.map(() => []);
  const found: Edit[] = [];
  for (const [address, { site, component }] of candidates) {
    const own = rungs.map(() => Array.from({ length: 4 }, () => new Float64Array(probe.prompts)));
    for (let i = 0; i < probe.batches; i++) {
      const damage = await withoutOne(trial, i, site, component);
      const points = damage.length / probe.size;
      own.forEach((into, r) => {
        const at = byRung[r]!.get(address)!.at[i]!;
        const rows = at.length / probe.size;
        damage.forEach((d, p) => {
          const prompt = Math.floor(p / points);
          // Where outputs are fewer than rows, a prompt counts as active where any of its rows is.
          const on = rows === points ? at[p]! : anyOf(at, prompt * rows, rows);
          const place = i * probe.size + prompt;
          into[on ? 0 : 2]![place]! += d;
          into[on ? 1 : 3]![place]! += 1;
        });
      });
    }
    const total = own[0]!.map((channel) => channel.reduce((a, b) => a + b, 0));
    found.push({
      ...{ subject: subject.name, address, onTarget: total[0]! / total[1]!, offTarget: total[2]! / total[3]! },
      ...{ active: total[1]!, inactive: total[3]! },
    });
    own.forEach((into, r) => channels[r]!.push(...into));
  }
  const combine = (means: readonly number[]): number => {
    let sum = 0;
    for (let m = 0; m < means.length; m += 4) {
      const [on, off] = [means[m]! / (means[m + 1]! || 1), means[m + 2]! / (means[m + 3]! || 1)];
      sum += on + off > 0 ? on / (on + off) : 0.5;
    }
    return sum / (means.length / 4);
  };
  const measured = readOff(
    rungs.map((rung, r) => ({ ...rung, measured: { channels: channels[r]!, combine } })),
    size,
  );
  const trivial = found.every(({ offTarget }) => offTarget < ROUNDING * meanOfNumbers(chance));
  const text = "where its components are inactive they carry nothing: nothing changes there by construction";
  const notes: Note[] =
    trivial && subject.decomposition.measure === "magnitude" ? [{ subject: subject.name, measure: "edits", text }] : [];
  const of = { id: "edits/specificity", measure: "edits" as const, ablation: "zero" as const, ranking: "own" as const };
  return { found: [{ ...of, text: TEXT, measured }], edits: found, notes };
}

interface Places {
  readonly site: string;
  readonly component: number;
  /** Whether it is active, by batch and row. */
  readonly at: Uint8Array[];
  count: number;
  places: number;
}

/** Where each component is active, by address. */
async function activePlaces(
  { probe, own, subject }: Hearing["trial"],
  threshold: number,
): Promise<Map<string, Places>> {
  const found = new Map<string, Places>();
  const seen = new Map<string, number>();
  const numbered = subject.decomposition.components.map(({ address, site }) => {
    const component = seen.get(site) ?? 0;
    seen.set(site, component + 1);
    return { address, site, component };
  });
  for (let i = 0; i < probe.batches; i++) {
    const scores = await own.scores(i);
    for (const { address, site, component } of numbered) {
      const { data, shape } = scores[`score/${site}`]!;
      const rows = shape[1]!;
      const places = found.get(address) ?? { site, component, at: [], count: 0, places: 0 };
      found.set(address, places);
      const at = Uint8Array.from({ length: rows }, (_, r) => Number(data[component * rows + r]! > threshold));
      places.at.push(at);
      places.count += at.reduce((a, b) => a + b, 0);
      places.places += rows;
    }
  }
  return found;
}

function anyOf(at: Uint8Array, from: number, count: number): boolean {
  return at.subarray(from, from + count).some(Boolean);
}
