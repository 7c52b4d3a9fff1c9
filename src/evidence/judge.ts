/** The verdict on a decomposition of a network whose mechanisms are known: the mechanisms, and reconstruction on fresh data. */
import type { Decomposed } from "../decomposition/methods.ts";
import { methodNamed } from "../decomposition/methods.ts";
import type { Device } from "../engine/index.ts";
import { targetNamed } from "../training/targets.ts";
import { judgeMechanisms, type MechanismVerdict, type SiteMechanisms } from "./mechanisms.ts";
import { reconstruction, type Reconstruction } from "./reconstruction.ts";

/** One site's verdict. */
export interface SiteVerdict extends SiteMechanisms {
  /** Mean number of components with importance above 0 on an input. */
  readonly l0: number;
}

export interface Verdict extends Omit<MechanismVerdict, "sites">, Omit<Reconstruction, "l0BySite"> {
  readonly schema: 1;
  readonly sites: Readonly<Record<string, SiteVerdict>>;
}

/** The whole verdict, with reconstruction on fresh data. */
export async function judge(
  { document, weights, components }: Pick<Decomposed, "document" | "weights" | "components">,
  options: { readonly device?: Device; readonly threads?: number; readonly signal?: AbortSignal } = {},
): Promise<Verdict> {
  const decomposition = methodNamed(document.method).open(document, weights, components);
  const target = targetNamed(document.target.target);
  const { l0BySite, ...recon } = await reconstruction(
    decomposition,
    (size) => target.batch("data", document.target.settings, size),
    options,
  );
  const mechanisms = judgeMechanisms(decomposition, Number(document.target.settings.features));
  const sites = Object.fromEntries(
    Object.entries(mechanisms.sites).map(([name, site]) => [name, { ...site, l0: l0BySite[name]! }]),
  );
  return { schema: 1, ...mechanisms, ...recon, sites };
}
