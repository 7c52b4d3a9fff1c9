/** Which runs have a picture of their mechanisms. */
import type { RunRecord } from "../../run/document.ts";

/** The methods whose components are parts of weights with importances. */
const PICTURED: ReadonlySet<string> = new Set(["spd", "vpd", "tpd"]);

/** Those of networks of features: the network itself, and parts of its weights with importances of their own. Elsewhere tensors are shown. */
export function isPictured(run: Pick<RunRecord, "kind" | "document">): boolean {
  if (!("method" in run.document)) return run.document.target === "tms";
  const { target, method } = run.document;
  return target.target === "tms" && PICTURED.has(method);
}
