/** The page's worker: float64 arithmetic on whole networks, away from the thread that draws. */
import { MechanistError } from "../error.ts";
import type { Network } from "../network/network.ts";
import { tms } from "../network/tms.ts";
import { readSafetensors } from "../file/safetensors.ts";
import { Laboratory } from "./model/laboratory.ts";
import type { LoadRequest, Reply, Request } from "./model/laboratory-messages.ts";

/** The networks that can be rebuilt here. Not `TARGETS`: that table brings training and its engines with it. */
const NETWORKS: Readonly<Record<string, (settings: Readonly<Record<string, unknown>>) => Network>> = {
  tms: ({ features, hidden, identity }) =>
    tms({ features: Number(features), hidden: Number(hidden), identity: identity === true }),
};

let laboratory: Laboratory | undefined;

function load({ target, weights, components, settings, step }: LoadRequest): Laboratory {
  const make = NETWORKS[target.target];
  if (make === undefined) {
    const known = Object.keys(NETWORKS).join(", ");
    throw new MechanistError("UnknownName", `page: expected a target it can draw (${known}), got ${target.target}`);
  }
  const where = `step ${step}`;
  return new Laboratory(
    make(target.settings),
    Number(target.settings.features),
    readSafetensors(weights, where).tensors,
    components && readSafetensors(components, where).tensors,
    settings,
  );
}

function answer(request: Request): Reply {
  try {
    if (request.kind === "load") laboratory = load(request);
    if (laboratory === undefined) throw new MechanistError("Internal", "internal: nothing was loaded yet");
    const { off } = request;
    const after = laboratory.outputWithout(off);
    if (request.kind === "remove") return { kind: "remove", off, after };
    return { kind: "load", step: request.step, analysis: laboratory.analysis(), off, after };
  } catch (cause) {
    const { message, code } = cause as Partial<MechanistError>;
    return {
      kind: "failed",
      message: message ?? String(cause),
      ...(code !== undefined && { code }),
      ...(request.kind === "load" && { step: request.step }),
    };
  }
}

addEventListener("message", (event: MessageEvent<Request>) => postMessage(answer(event.data)));
