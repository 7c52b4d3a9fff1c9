/** What the page and its worker say to one another. */
import type { TrainDocument } from "../../training/target.ts";
import type { Analysis } from "./laboratory.ts";

/** Take up a checkpoint, and say what there is to draw and what the network answers without some components. */
export interface LoadRequest {
  readonly kind: "load";
  readonly step: number;
  readonly target: TrainDocument;
  /** The network's weights, as safetensors; for a training run they are the checkpoint's own. */
  readonly weights: Uint8Array;
  /** Components, as safetensors; absent for a training run. */
  readonly components?: Uint8Array;
  /** Of the decomposition. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly off: readonly string[];
}

/** What does the checkpoint taken up last answer without these components? */
export interface RemoveRequest {
  readonly kind: "remove";
  readonly off: readonly string[];
}

export type Request = LoadRequest | RemoveRequest;

export type Reply =
  | {
      readonly kind: "load";
      readonly step: number;
      readonly analysis: Analysis;
      readonly off: readonly string[];
      readonly after: Float64Array;
    }
  | { readonly kind: "remove"; readonly off: readonly string[]; readonly after: Float64Array }
  | { readonly kind: "failed"; readonly step?: number; readonly message: string; readonly code?: string };
