/// <reference types="vite/client" />
/** Golden fixtures by their path under `test/golden`; they load under Node and in a browser alike. */
const files = import.meta.glob("./**/*.json", { import: "default" });

export async function golden<T>(path: string): Promise<T> {
  const load = files[`./${path}`];
  if (load === undefined) throw new Error(`golden fixture ${path}: not there`);
  return (await load()) as T;
}
