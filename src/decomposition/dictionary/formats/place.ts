/**
 * Dictionaries of files put into a network: which of its hook points they mean, whether they fit there, and what method with what settings they are
 * then a decomposition by. What does not fit is refused with both numbers or names.
 */
import type { NamedValues } from "../../../engine/values.ts";
import { MechanistError } from "../../../error.ts";
import { resolvePoint } from "../../../network/hook-names.ts";
import type { Network } from "../../../network/network.ts";
import type { TrainDocument } from "../../../training/target.ts";
import { targetNamed } from "../../../training/targets.ts";
import type { Code } from "../dictionary.ts";
import { rowPoints, type RowPoint } from "../rows.ts";
import { repeated } from "./folding.ts";
import {
  isTranscoder,
  type Origin,
  type Stored,
  type StoredCrossLayer,
  type StoredDictionary,
  storedSizes,
  type StoredWeights,
} from "./stored.ts";

/** What the user says of a dictionary that its files do not. */
export interface Given {
  /** The hook point that it reads and writes. */
  readonly point?: string;
  /** The two of a transcoder. */
  readonly reads?: string;
  readonly writes?: string;
  /** What its makers call the network. */
  readonly model?: string;
}

/** A decomposition that needs no training. */
export interface PlacedStored {
  readonly method: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Weights by site. */
  readonly components: NamedValues;
  /** What is stored for each site. */
  readonly bySite: Readonly<Record<string, StoredDictionary | StoredCrossLayer>>;
}

/** The method of dictionaries with such latents. */
const METHOD_OF: Readonly<Record<Code, string>> = { relu: "sae", gated: "gated", topk: "topk", jumprelu: "jumprelu" };

/**
 * Puts what a folder holds into the network of a document.
 *
 * @param where names the folder in an error
 * @param digest sha256 of the network's weights, as `export` writes it
 * @throws `BadFile` for dictionaries of another network, point or width
 */
export function placeStored(
  where: string,
  stored: Stored,
  document: TrainDocument,
  { given = {}, digest }: { readonly given?: Given; readonly digest?: string } = {},
): PlacedStored {
  const own = { where, document, network: targetNamed(document.target).network(document.settings), given };
  if (stored.kind === "cross-layer") {
    expectSameNetwork(own, stored.transcoder, digest);
    return placeCrossLayer(own, stored.transcoder);
  }
  for (const one of stored.dictionaries) expectSameNetwork(own, one, digest);
  return placeDictionaries(own, stored.dictionaries);
}

interface Place {
  readonly where: string;
  readonly document: TrainDocument;
  readonly network: Network;
  readonly given: Given;
}

/** A network's name without its owner, and without what is said in two ways. */
function plainName(name: string): string {
  const last = name.split("/").at(-1)!.toLowerCase();
  return last === "gpt2-small" ? "gpt2" : last;
}

function expectSameNetwork(
  { where, document, given }: Place,
  { model, network }: Origin,
  digest: string | undefined,
): void {
  if (network !== undefined && digest !== undefined) {
    if (network === digest) return;
    const [wanted, got] = [digest, network].map((sha) => sha.slice(0, 12));
    throw new MechanistError(
      "BadFile",
      `${where}: expected a dictionary of this network, whose weights have the digest ${wanted}…, got one of ${got}…`,
    );
  }
  if (model === undefined) return;
  const called = [targetNamed(document.target).title(document.settings), document.settings.name, given.model];
  if (called.some((name) => typeof name === "string" && plainName(name) === plainName(model))) return;
  throw new MechanistError(
    "BadFile",
    `${where}: expected a dictionary of ${String(called[0])}, got one of ${model.slice(0, 100)}; --set model=… says that it is the same network`,
  );
}

/** The hook point that is meant: the file's, unless it names none; what the user says must not contradict it. */
function pointOf(
  { where, document, network, given }: Place,
  what: "reads" | "writes",
  stored: string | undefined,
): RowPoint {
  const said = given[what] ?? given.point;
  const resolved = (name: string): string => {
    try {
      return resolvePoint(network, name).name;
    } catch (cause) {
      if (!(cause instanceof MechanistError)) throw cause;
      throw new MechanistError("BadFile", `${where}: ${cause.message}`, cause.details, { cause });
    }
  };
  if (stored === undefined && said === undefined) {
    throw new MechanistError(
      "BadArgument",
      `${where}: expected --set ${what === "reads" ? "point" : "writes"}=…, the hook point it is of, which its files do not say, got none`,
    );
  }
  const name = resolved((stored ?? said)!);
  if (stored !== undefined && said !== undefined && resolved(said) !== name) {
    throw new MechanistError(
      "BadFile",
      `${where}: expected a dictionary that ${what} ${resolved(said)}, got one of ${name}`,
    );
  }
  const target = targetNamed(document.target);
  return rowPoints(network, name, (size) => target.batch("data", document.settings, size))[0]!;
}

function expectWidth(where: string, axis: string, { name, width }: RowPoint, size: number): void {
  if (width === size) return;
  throw new MechanistError("BadFile", `${where}: expected ${axis} ${width}, the width of ${name}, got ${size}`, {
    axis,
    expected: width,
    got: size,
  });
}

interface PlacedOne {
  readonly dictionary: StoredDictionary;
  readonly reads: RowPoint;
  readonly writes: RowPoint;
}

function placeDictionaries(own: Place, dictionaries: readonly StoredDictionary[]): PlacedStored {
  const { where } = own;
  const placed = alike(where, dictionaries).map((dictionary): PlacedOne => {
    const reads = pointOf(own, "reads", dictionary.reads);
    const sameAsRead = dictionary.writes === undefined && own.given.writes === undefined;
    const writes = sameAsRead ? reads : pointOf(own, "writes", dictionary.writes);
    const { dIn, dOut } = storedSizes(dictionary.weights);
    expectWidth(where, "d_in", reads, dIn);
    expectWidth(where, "d_out", writes, dOut);
    return { dictionary: { ...dictionary, reads: reads.name, writes: writes.name }, reads, writes };
  });
  const sites = placed.map(({ writes }) => writes.name);
  const twice = sites.find((site, i) => sites.indexOf(site) !== i);
  if (twice !== undefined) {
    throw new MechanistError("BadFile", `${where}: expected one dictionary that writes ${twice}, got two`);
  }
  const across = placed.filter(({ dictionary }) => isTranscoder(dictionary)).length;
  if (across > 0 && across < placed.length) {
    throw new MechanistError("BadFile", `${where}: expected transcoders or dictionaries of one point, got both`);
  }
  const { code, k, normalization, weights } = placed[0]!.dictionary;
  const { C } = storedSizes(weights);
  const names = (what: "reads" | "writes"): string => placed.map((one) => one[what].name).join(",");
  const skip = weights.W_skip !== undefined;
  const kind = METHOD_OF[code];
  return {
    method: across > 0 ? (skip ? "skip-transcoder" : "transcoder") : kind,
    settings: {
      ...(across > 0
        ? { kind, reads: names("reads"), writes: names("writes") }
        : { point: names("reads"), activationNormalization: normalization }),
      ...(k !== undefined && { k }),
      C,
      // Nothing was trained here.
      steps: 1,
    },
    components: Object.assign({}, ...placed.map(({ dictionary, writes }) => named(writes.name, dictionary.weights))),
    bySite: Object.fromEntries(placed.map(({ dictionary, writes }) => [writes.name, dictionary])),
  };
}

function named(site: string, weights: StoredWeights): NamedValues {
  return Object.fromEntries(Object.entries(weights).map(([name, tensor]) => [`${site}.${name}`, tensor!]));
}

/**
 * Dictionaries of one kind, as one decomposition has them: ReLU is JumpReLU with thresholds of 0, no affine map is one of zeros.
 *
 * @throws `BadFile` where they differ otherwise
 */
function alike(where: string, dictionaries: readonly StoredDictionary[]): StoredDictionary[] {
  const codes = new Set(dictionaries.map(({ code }) => code));
  const jumps = codes.has("jumprelu");
  const skips = dictionaries.some(({ weights }) => weights.W_skip);
  const found = dictionaries.map((one): StoredDictionary => {
    const { dIn, dOut, C } = storedSizes(one.weights);
    const W_skip = {
      axes: "d_in d_out",
      shape: [dIn, dOut],
      dtype: "f32" as const,
      data: new Float32Array(dIn * dOut),
    };
    return {
      ...one,
      ...(jumps && one.code === "relu" && { code: "jumprelu" }),
      weights: {
        ...one.weights,
        ...(jumps && one.code === "relu" && { threshold: repeated("C", C, 0) }),
        ...(skips && !one.weights.W_skip && { W_skip }),
      },
    };
  });
  const facts = ({ code, k, normalization, weights }: StoredDictionary): Readonly<Record<string, unknown>> => ({
    "kind of latents": code,
    k,
    normalisation: normalization,
    latents: storedSizes(weights).C,
  });
  for (const one of found) {
    const [wanted, got] = [facts(found[0]!), facts(one)];
    const other = Object.keys(wanted).find((fact) => wanted[fact] !== got[fact]);
    if (other !== undefined) {
      throw new MechanistError(
        "BadFile",
        `${where}: expected dictionaries of one ${other}, got ${String(wanted[other])} and ${String(got[other])}`,
      );
    }
  }
  return found;
}

function placeCrossLayer(own: Place, transcoder: StoredCrossLayer): PlacedStored {
  const { where, given } = own;
  const said = (["point", "reads", "writes"] as const).find((what) => given[what] !== undefined);
  if (said !== undefined) {
    throw new MechanistError(
      "BadArgument",
      `${where}: expected no --set ${said}=…, since a cross-layer transcoder says which points it is of, got one`,
    );
  }
  const layers = transcoder.layers.map(({ reads, writes, weights }) => ({
    reads: pointOf({ ...own, given: {} }, "reads", reads),
    writes: pointOf({ ...own, given: {} }, "writes", writes),
    weights,
  }));
  for (const { reads, writes, weights } of layers) {
    const { dIn, dOut } = storedSizes(weights);
    expectWidth(where, "d_in", reads, dIn);
    expectWidth(where, "d_out", writes, dOut);
  }
  return {
    method: "clt",
    settings: {
      reads: layers.map(({ reads }) => reads.name).join(","),
      writes: layers.map(({ writes }) => writes.name).join(","),
      code: transcoder.code,
      C: storedSizes(layers[0]!.weights).C,
      steps: 1,
    },
    components: Object.assign({}, ...layers.map(({ writes, weights }) => named(writes.name, weights))),
    bySite: Object.fromEntries(layers.map(({ writes }) => [writes.name, transcoder])),
  };
}
