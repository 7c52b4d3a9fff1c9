/** What a referee's report is made of, and is in: the board, and how each run and the report were made. */
import type { Scoreboard } from "../../evidence/referee/scoreboard.ts";
import { MechanistError } from "../../error.ts";

/** The version of what stands in a report. One of a higher version is refused, not guessed at. */
const SCHEMA = 1;

export interface Report {
  readonly schema: typeof SCHEMA;
  readonly scoreboard: Scoreboard;
  /** The command lines that make each run, by subject. */
  readonly commands: Readonly<Record<string, string>>;
  /** The one that makes the report. */
  readonly command: string;
  /** Of what made it. */
  readonly version: string;
}

/**
 * What a report was made of, out of its page.
 *
 * @param where names the file in an error
 * @throws `BadFile` for a file that is no report; `NewerSchema` for one of a newer version
 */
export function readReport(html: string, where: string): Report {
  const text = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)?.[1];
  const got = (what: string): MechanistError =>
    new MechanistError("BadFile", `${where}: expected a report that judge --report wrote, got ${what}`);
  if (text === undefined) throw got("a file without its data");
  const data = parsed(text);
  if (typeof data?.schema === "number" && data.schema > SCHEMA) {
    const why = `expected schema ${SCHEMA}, got ${data.schema}; it needs a newer version of Mechanist`;
    throw new MechanistError("NewerSchema", `${where}: ${why}`, { expected: SCHEMA, got: data.schema });
  }
  if (data?.schema !== SCHEMA || !Array.isArray(data.scoreboard?.subjects)) throw got("other data");
  return data as Report;
}

function parsed(text: string): Partial<Report> | null {
  try {
    return JSON.parse(text) as Partial<Report> | null;
  } catch {
    return null;
  }
}
