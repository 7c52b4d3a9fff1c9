/**
 * What went wrong, as one of a few codes. Each code has one cause family and one exit status.
 *
 * | code | cause | exit |
 * |---|---|---|
 * | `UnknownName` | a command, target, preset, key or device nobody defined | 2 |
 * | `BadArgument` | a value of the wrong kind or out of its range | 2 |
 * | `ShapeMismatch` | axes or sizes that do not fit one another | 2 |
 * | `Unavailable` | this machine lacks what was asked for (a device, a port) | 2 |
 * | `MissingFile` | a path that should exist does not | 3 |
 * | `BadFile` | a path that exists holds something half-written or wrong | 3 |
 * | `NewerSchema` | a file written by a newer version of Mechanist | 3 |
 * | `DiskFailure` | the disk is full, or refuses to write | 3 |
 * | `NotFinite` | a NaN or an infinity where a number was needed | 4 |
 * | `Refused` | the server will not do this for this caller | 2 |
 * | `Cancelled` | somebody asked for a stop | 130 |
 * | `Internal` | our own fault | 70 |
 */
export type ErrorCode =
  | "UnknownName"
  | "BadArgument"
  | "ShapeMismatch"
  | "Unavailable"
  | "MissingFile"
  | "BadFile"
  | "NewerSchema"
  | "DiskFailure"
  | "NotFinite"
  | "Refused"
  | "Cancelled"
  | "Internal";

const EXIT_STATUS: Record<ErrorCode, number> = {
  UnknownName: 2,
  BadArgument: 2,
  ShapeMismatch: 2,
  Unavailable: 2,
  Refused: 2,
  MissingFile: 3,
  BadFile: 3,
  NewerSchema: 3,
  DiskFailure: 3,
  NotFinite: 4,
  Internal: 70,
  Cancelled: 130,
};

/** The one error class. Its message reads `where: what, expected X, got Y`, lower case, without a full stop. */
export class MechanistError extends Error {
  override readonly name = "MechanistError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.details = details;
  }

  /** The exit status of a command that ends with this error. */
  get exitStatus(): number {
    return EXIT_STATUS[this.code];
  }
}
