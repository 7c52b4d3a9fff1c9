/** What was measured of a network when its training was over, as `run.json` keeps it. */

export interface Measured {
  readonly metric: string;
  readonly value: number;
  readonly meaning: string;
}

/** The measured numbers of a run's result; none where it has none. */
export function measuredOf(result: Readonly<Record<string, unknown>> | undefined): readonly Measured[] {
  const list = result?.success;
  if (!Array.isArray(list)) return [];
  return list.filter(
    (each): each is Measured =>
      typeof each === "object" &&
      each !== null &&
      typeof (each as Measured).metric === "string" &&
      typeof (each as Measured).value === "number",
  );
}
