/** Something that takes a while: not there yet, there, or not to be had. */
export type Loadable<T> =
  | { readonly is: "loading" }
  | { readonly is: "ready"; readonly value: T }
  | { readonly is: "failed"; readonly error: { readonly message: string; readonly code?: string } };

export const LOADING: { readonly is: "loading" } = { is: "loading" };

/** The failure as data. */
export function failed(cause: unknown): { is: "failed"; error: { message: string; code?: string } } {
  const error = cause as { message?: unknown; code?: unknown };
  return {
    is: "failed",
    error: {
      message: typeof error?.message === "string" ? error.message : String(cause),
      ...(typeof error?.code === "string" && { code: error.code }),
    },
  };
}
