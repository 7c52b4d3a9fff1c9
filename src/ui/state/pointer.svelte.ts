/** What the mouse is over, shared by everything on show: a step in one chart is a step in all of them. Not in the URL; what is clicked is. */
class Pointer {
  step = $state<number | undefined>();
  /** A component's address. */
  component = $state<string | undefined>();
}

export const pointer: Pointer = new Pointer();
