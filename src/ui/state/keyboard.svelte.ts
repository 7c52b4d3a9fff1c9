/** What keys do now: the screens on show say so, by the shortcut's id. */
import { shortcutOf, type ShortcutId } from "../model/shortcuts.ts";

export type Actions = Partial<Record<ShortcutId, () => void>>;

const shown: Actions[] = [];

/** Lets a screen answer to keys while it is shown: `$effect(() => answerKeys({...}))`. */
export function answerKeys(actions: Actions): () => void {
  shown.push(actions);
  return () => {
    shown.splice(shown.indexOf(actions), 1);
  };
}

/** Handles a key press of the window. */
export function onKey(event: KeyboardEvent): void {
  const shortcut = shortcutOf(event);
  if (shortcut === undefined || event.defaultPrevented) return;
  const target = event.target as HTMLElement | null;
  if (target?.closest("input:not([type=range]), textarea, select") && event.key !== "Escape") return;
  // On a control, the space bar does what it does on every control.
  if (event.key === " " && target?.closest("button, a, summary, input")) return;
  // An open dialog keeps its keys to itself; Escape closes it by the browser's own doing.
  if (document.querySelector("dialog[open]") && shortcut.id !== "help") return;
  const action = shown.findLast((actions) => actions[shortcut.id as ShortcutId])?.[shortcut.id as ShortcutId];
  if (action === undefined) return;
  event.preventDefault();
  action();
}
