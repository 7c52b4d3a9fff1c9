/**
 * A whole clustering: positions are looked at and their firings merged, for each member of the ensemble in turn, and once with firings
 * shuffled, as a control. Wherever it is stopped it can go on from, to the same end.
 */
import { MechanistError } from "../../error.ts";
import type { CompileOptions } from "../../engine/index.ts";
import { foldIn, type Key, keyFromSeed } from "../../tensor/index.ts";
import { aliveIndices, type Firings, pickFirings } from "./firings.ts";
import { clusteringBytes, expectMemory } from "./memory.ts";
import { mergeAll, type PartialMerges } from "./merge.ts";
import { costsOf, type MergeHistory } from "./merge-history.ts";
import type { PaceOptions } from "./pace.ts";
import { sampleFirings, type SampleSubject } from "./sample.ts";
import { type ClusterSettings, samplerFrom } from "./settings.ts";
import { shuffledFirings } from "./shuffled.ts";
import type { Member } from "./stability.ts";

/** How far a clustering is. */
export interface ClusterState {
  /** Those that are whole. The first one is the clustering; the others say how stable it is. */
  readonly members: readonly Member[];
  /** The control: costs by the number of merges made, in bits a position. */
  readonly shuffled?: { readonly cost: readonly number[] };
  /** What is being worked on. */
  readonly unfinished?: Unfinished;
}

interface Unfinished {
  /** Of all components, at as many positions as were looked at. */
  readonly firings: Firings;
  readonly partial?: PartialMerges;
}

export interface ClusterOptions extends PaceOptions, CompileOptions {
  readonly resume?: ClusterState;
  /** Called whenever there is something worth keeping, and when the signal aborts. */
  readonly onState?: (state: ClusterState) => void | Promise<void>;
  /** How many bytes of memory there are; absent, as many as it takes. */
  readonly memory?: number;
  /** Is told how many bytes it will take at the most, before the work starts. */
  readonly onMemory?: (bytes: number) => void;
}

/**
 * Clusters the components of a decomposition.
 *
 * @throws `Unavailable` where memory does not suffice, before anything is merged; `BadArgument` where nothing fires; `Cancelled`
 */
export async function cluster(
  subject: SampleSubject,
  settings: ClusterSettings,
  options: ClusterOptions = {},
): Promise<ClusterState> {
  const work = new Work(subject, settings, options);
  for (;;) {
    const { members, shuffled } = work.state;
    if (members.length === 1 && shuffled === undefined) await work.addControl(await work.firings(0));
    else if (members.length < settings.ensemble) await work.addMember(await work.firings(members.length));
    else return work.state;
  }
}

class Work {
  state: ClusterState;
  readonly #subject: SampleSubject;
  readonly #settings: ClusterSettings;
  readonly #options: ClusterOptions;
  readonly #key: Key;
  readonly #loop: PaceOptions & CompileOptions;

  constructor(subject: SampleSubject, settings: ClusterSettings, options: ClusterOptions) {
    this.#subject = subject;
    this.#settings = settings;
    this.#options = options;
    this.#key = keyFromSeed(settings.seed);
    this.state = options.resume ?? { members: [] };
    const { resume: _, onState: __, memory: ___, onMemory: ____, ...loop } = options;
    this.#loop = loop;
  }

  /** A member's firings: those kept where it was stopped, with the rest. */
  async firings(member: number): Promise<Firings> {
    const { positions, threshold } = this.#settings;
    const kept = this.state.unfinished?.firings;
    if (kept?.positions === positions) return kept;
    const key = foldIn(foldIn(this.#key, "positions"), member);
    const found = await sampleFirings(
      this.#subject,
      { positions, threshold, key },
      {
        ...this.#loop,
        ...(kept && { resume: kept }),
        onEstimate: (firings) => this.#expectMemory(firings),
        onPartial: (firings) => this.#keep({ ...this.state, unfinished: { firings } }),
      },
    );
    await this.#keep({ ...this.state, unfinished: { firings: found } });
    return found;
  }

  async addMember(firings: Firings): Promise<void> {
    const alive = aliveIndices(firings);
    if (alive.length === 0) {
      const { positions, threshold } = this.#settings;
      const asked = `an importance above ${threshold} at some of ${positions} positions`;
      throw new MechanistError("BadArgument", `cluster: expected components with ${asked}, got none`);
    }
    const { members, shuffled } = this.state;
    const history = await this.#merged(pickFirings(firings, alive), firings, `member ${members.length}`);
    await this.#keep({
      members: [...members, { alive, history }],
      ...(shuffled && { shuffled }),
      // The control needs the first member's firings again.
      ...(members.length === 0 && { unfinished: { firings } }),
    });
  }

  async addControl(firings: Firings): Promise<void> {
    const shuffled = shuffledFirings(pickFirings(firings, aliveIndices(firings)), foldIn(this.#key, "shuffled"));
    const { cost } = costsOf(await this.#merged(shuffled, firings, "control"));
    await this.#keep({ members: this.state.members, shuffled: { cost } });
  }

  #merged(firings: Firings, kept: Firings, what: string): Promise<MergeHistory> {
    const { alpha, sampler } = this.#settings;
    const resume = this.state.unfinished?.partial;
    return mergeAll(
      { firings, alpha, sampler: samplerFrom(sampler), key: foldIn(foldIn(this.#key, "merges"), what) },
      {
        ...this.#loop,
        ...(resume && { resume }),
        onPartial: (partial) => this.#keep({ ...this.state, unfinished: { firings: kept, partial } }),
      },
    );
  }

  #expectMemory(firings: number): void {
    const { positions, sampler } = this.#settings;
    const components = this.#subject.decomposition.components.length;
    const needed = clusteringBytes({ components, positions, firings, sampler: samplerFrom(sampler) });
    expectMemory(needed, this.#options.memory ?? Infinity);
    if (this.state.members.length === 0) this.#options.onMemory?.(needed);
  }

  async #keep(state: ClusterState): Promise<void> {
    this.state = state;
    await this.#options.onState?.(state);
    if (this.#options.signal?.aborted) {
      const { ensemble } = this.#settings;
      throw new MechanistError(
        "Cancelled",
        `cluster: stopped after ${state.members.length} of ${ensemble} clusterings`,
      );
    }
  }
}
