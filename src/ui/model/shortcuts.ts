/** Every key the page listens to, in one table: the help is drawn from it, and a test looks for clashes. */

export interface Shortcut {
  readonly id: string;
  /** As in `KeyboardEvent.key`. */
  readonly keys: readonly string[];
  readonly does: string;
  /** Where it works. */
  readonly where: "everywhere" | "a run" | "a heatmap";
}

export const SHORTCUTS = [
  { id: "help", keys: ["?"], does: "show or hide this list", where: "everywhere" },
  { id: "theme", keys: ["t"], does: "light, dark, or as the system has it", where: "everywhere" },
  { id: "runs", keys: ["u"], does: "up to the list of runs", where: "everywhere" },
  { id: "next", keys: ["j"], does: "next component", where: "a run" },
  { id: "previous", keys: ["k"], does: "previous component", where: "a run" },
  { id: "toggle", keys: ["x", " "], does: "take the component out, or put it back", where: "a run" },
  { id: "dead", keys: ["d"], does: "take all dead components out", where: "a run" },
  { id: "reset", keys: ["r"], does: "put everything back", where: "a run" },
  { id: "earlier", keys: ["["], does: "earlier checkpoint", where: "a run" },
  { id: "later", keys: ["]"], does: "later checkpoint", where: "a run" },
  { id: "latest", keys: ["l"], does: "latest checkpoint, and follow", where: "a run" },
  { id: "clear", keys: ["Escape"], does: "point at nothing", where: "a run" },
  {
    id: "cell",
    keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"],
    does: "move from cell to cell",
    where: "a heatmap",
  },
] as const satisfies readonly Shortcut[];

export type ShortcutId = (typeof SHORTCUTS)[number]["id"];

const NAMES: Readonly<Record<string, string>> = {
  " ": "space",
  Escape: "Esc",
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
};

/** A key as people call it. */
export function keyName(key: string): string {
  return NAMES[key] ?? key;
}

/** The shortcut of a key press; none with a modifier, which belongs to the browser, or while text is being entered. */
export function shortcutOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey">): Shortcut | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  return SHORTCUTS.find(({ keys, where }) => where !== "a heatmap" && (keys as readonly string[]).includes(event.key));
}
