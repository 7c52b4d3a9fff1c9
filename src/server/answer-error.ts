/** Errors as the server says them: `{code, message, details}`. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type ErrorCode, MechanistError } from "../error.ts";

const STATUS: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  Refused: 403,
  UnknownName: 404,
  MissingFile: 404,
  BadArgument: 400,
  BadFile: 422,
  NewerSchema: 422,
};

/** Answers with an error. What is not ours to explain is called internal, and nothing of it is told. */
export function answerError(error: unknown, context: Context): Response {
  if (!(error instanceof MechanistError)) {
    return context.json({ code: "Internal", message: "internal: the server failed", details: {} }, 500);
  }
  const { code, message, details } = error;
  return context.json({ code, message, details }, STATUS[code] ?? 500);
}
