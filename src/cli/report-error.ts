/** Errors as the command line says them: one line, and an exit status. */
import { MechanistError } from "../error.ts";
import { JSON_SCHEMA } from "./terminal.ts";

/** How an error is told. */
interface ErrorReport {
  readonly line: string;
  readonly exitStatus: number;
  readonly document: Readonly<Record<string, unknown>>;
}

/** Puts an error into words. What no user could have caused is internal. */
function reportOf(error: unknown): ErrorReport {
  const known =
    error instanceof MechanistError
      ? error
      : new MechanistError("Internal", `internal: ${error instanceof Error ? error.message : String(error)}`);
  const message = known.message.replaceAll(/\s*\n\s*/g, " ");
  return {
    line: `mechanist: ${message}`,
    exitStatus: known.exitStatus,
    document: { schema: JSON_SCHEMA, error: { code: known.code, message, details: known.details } },
  };
}

/** Tells an error, and answers the exit status. */
export function tellError(
  error: unknown,
  { json, debug }: { readonly json: boolean; readonly debug: boolean },
): number {
  const { line, exitStatus, document } = reportOf(error);
  if (json) process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  process.stderr.write(`${line}\n`);
  if (debug) process.stderr.write(`${stackOf(error)}\n`);
  return exitStatus;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack}${cause}`;
}
