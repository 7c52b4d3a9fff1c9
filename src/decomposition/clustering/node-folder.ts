/** A clustering in a run's folder: `clusters.json`, and while it is unfinished the firings that it is of. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { NamedValues } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import { writeAtomic } from "../../file/node-atomic.ts";
import { readSafetensors, writeSafetensors } from "../../file/safetensors.ts";
import type { ClusterState } from "./cluster.ts";
import { type ClusterSubject, clustersText, parseClusters, type StoredClustering } from "./document.ts";
import type { Firings } from "./firings.ts";
import type { ClusterSettings } from "./settings.ts";

const CLUSTERS = "clusters.json";
const FIRINGS = "clusters-firings.safetensors";
const FIGURE = "clusters.svg";

/** What a clustering is of, and how it is made. */
export interface ClusterIdentity {
  readonly subject: ClusterSubject;
  readonly settings: ClusterSettings;
  /** Addresses of all components. */
  readonly components: readonly string[];
}

export class ClusterFolder {
  readonly path: string;
  readonly figurePath: string;
  readonly #firingsPath: string;
  #written: Firings | undefined;

  /** @param run the run's folder */
  constructor(run: string) {
    this.path = join(run, CLUSTERS);
    this.figurePath = join(run, FIGURE);
    this.#firingsPath = join(run, FIRINGS);
  }

  /** The clustering that is there, whatever it is of; nothing where there is none. */
  async stored(): Promise<StoredClustering | undefined> {
    const text = await readFile(this.path, "utf8").catch(nothingWhenMissing);
    return text === undefined ? undefined : parseClusters(text, this.path);
  }

  /**
   * How far a clustering of just this is. It may have fewer members than are asked for, or more: those are left out.
   *
   * @returns nothing where there is none, or one of something else
   */
  async load(identity: ClusterIdentity): Promise<ClusterState | undefined> {
    const stored = await this.stored();
    if (stored === undefined || mark(stored) !== mark(identity)) return undefined;
    const { members, shuffled } = stored.state;
    const state = { members: members.slice(0, identity.settings.ensemble), ...(shuffled && { shuffled }) };
    const firings = await this.#firings(identity, memberInHand(state));
    if (firings === undefined) return state;
    return { ...state, unfinished: { firings, ...(stored.partial && { partial: stored.partial }) } };
  }

  /** Writes how far it is. */
  async save(identity: ClusterIdentity, state: ClusterState): Promise<void> {
    const { subject, settings, components } = identity;
    const firings = state.unfinished?.firings;
    // The firings first: a file of merges is nothing without them.
    if (firings !== undefined && firings !== this.#written) {
      await this.#saveFirings(identity, firings, memberInHand(state));
    }
    await writeAtomic(this.path, clustersText(subject, settings, components, state));
    if (firings === undefined) await rm(this.#firingsPath, { force: true });
    this.#written = firings;
  }

  #saveFirings(identity: ClusterIdentity, firings: Firings, member: number): Promise<void> {
    const { offsets, at, positions } = firings;
    const tensors: NamedValues = {
      offsets: { axes: "offset", shape: [offsets.length], dtype: "i32", data: offsets },
      at: { axes: "firing", shape: [at.length], dtype: "i32", data: at },
    };
    const about = { schema: "1", of: mark(identity), member: String(member), positions: String(positions) };
    return writeAtomic(this.#firingsPath, writeSafetensors(tensors, about));
  }

  /** The firings that were kept, where they are this member's. */
  async #firings(identity: ClusterIdentity, member: number): Promise<Firings | undefined> {
    const bytes = await readFile(this.#firingsPath).catch(nothingWhenMissing);
    if (bytes === undefined) return undefined;
    const { tensors, metadata } = readSafetensors(bytes, this.#firingsPath);
    if (metadata.of !== mark(identity) || metadata.member !== String(member)) return undefined;
    const [offsets, at] = [tensors.offsets?.data, tensors.at?.data];
    const fits =
      offsets instanceof Int32Array && at instanceof Int32Array && offsets.length === identity.components.length + 1;
    if (!fits || offsets.at(-1) !== at.length) {
      throw new MechanistError("BadFile", `${this.#firingsPath}: expected firings of these components, got others`);
    }
    const firings = { positions: Number(metadata.positions), components: identity.components, offsets, at };
    this.#written = firings;
    return firings;
  }
}

/** Whose firings are being worked on: the first member's until it has its control. */
function memberInHand({ members, shuffled }: Pick<ClusterState, "members" | "shuffled">): number {
  return members.length === 1 && shuffled === undefined ? 0 : members.length;
}

/** What must be the same for one clustering to go on from another; how many members are wanted need not be. */
function mark({ subject, settings, components }: ClusterIdentity): string {
  const { ensemble: _, ...rest } = settings;
  return JSON.stringify([subject.digest, subject.step, components.length, Object.entries(rest).sort()]);
}

function nothingWhenMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
  return undefined;
}
