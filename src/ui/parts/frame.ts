/** What all plots of a page share, so that they can be compared by eye. */
import { largest, longest } from "../model/drawing.ts";
import type { Analysis, SiteParts } from "../model/laboratory.ts";
import { type Projection, projectionOf } from "../model/projection.ts";

export interface Frame {
  readonly projection: Projection;
  /** The length, or the entry, that reaches the edge. */
  readonly limit: number;
  /** Whether components are drawn as bars. */
  readonly bars: boolean;
}

/** Room beyond the longest of the target's own vectors; the figures of the SPD paper have 1.3 for vectors of length 1. */
const ROOM = 1.2;

/** The frame of the target's feature vectors and of the sites between which they pass. */
export function frameOf(analysis: Analysis, turn: number, draw: "bars" | "arrows"): Frame {
  const { W, features, hidden } = analysis;
  return {
    projection: projectionOf(W, features, hidden, turn),
    limit: (longest(W, features) || 1) * ROOM,
    bars: hidden > 3 && draw === "bars",
  };
}

/** A site within the hidden space is drawn as a matrix, on the scale of its own target. */
export function siteFrame(frame: Frame, site: SiteParts): Frame {
  return site.features === undefined ? { ...frame, limit: largest(site.W) || 1 } : frame;
}
