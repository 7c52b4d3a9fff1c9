/** `mechanist pull`: a network from the hub into the cache, where it is found by its id from then on. */
import { type PulledNetwork, pull } from "../file/node-hub.ts";
import { significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import type { CommonOptions } from "./main.ts";
import type { Terminal } from "./terminal.ts";

const REDRAW_EVERY = 100; // ms

export async function pullCommand(name: string, _options: CommonOptions, terminal: Terminal): Promise<void> {
  let drawnAt = -Infinity;
  const onProgress = (file: string, bytes: number, total: number): void => {
    const now = performance.now();
    if (now - drawnAt < REDRAW_EVERY) return;
    drawnAt = now;
    terminal.working(`pulling ${name}: ${megabytes(bytes)} of ${megabytes(total)}, ${file}`);
  };
  const onNote = (note: string): void => terminal.note(note);
  const pulled = await interruptible(terminal, ({ signal }) => pull(name, { signal, onProgress, onNote }));
  terminal.clear();
  terminal.document("pull", { id: pulled.id, revision: pulled.revision, path: pulled.path, files: pulled.files });
  terminal.print(summary(pulled));
}

function summary({ id, revision, path, files }: PulledNetwork): string {
  const rows = files.map(({ name, bytes, sha256 }) => [name, megabytes(bytes), sha256.slice(0, 12)]);
  return [`${id} at ${revision.slice(0, 12)}`, path, "", table(["file", "size", "sha256"], rows)].join("\n");
}

function megabytes(bytes: number): string {
  return `${significant(bytes / 1e6, 3)} MB`;
}
