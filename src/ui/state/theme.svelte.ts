/** Light or dark: as the system has it, unless the reader has chosen. The choice is the reader's, not the link's, so it is kept here. */
import type { Scheme } from "../model/color.ts";

export type Choice = "system" | Scheme;
const CHOICES: readonly Choice[] = ["system", "light", "dark"];
const KEY = "mechanist-theme";

class Theme {
  choice = $state<Choice>(stored());
  #systemDark = $state(matchMedia("(prefers-color-scheme: dark)").matches);

  constructor() {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
      this.#systemDark = event.matches;
    });
    this.#show();
  }

  get scheme(): Scheme {
    if (this.choice !== "system") return this.choice;
    return this.#systemDark ? "dark" : "light";
  }

  /** The next choice in turn. */
  cycle(): void {
    this.choice = CHOICES[(CHOICES.indexOf(this.choice) + 1) % CHOICES.length]!;
    try {
      localStorage.setItem(KEY, this.choice);
    } catch {
      // A browser that keeps nothing still shows the choice until the page is left.
    }
    this.#show();
  }

  #show(): void {
    document.documentElement.dataset.theme = this.choice;
  }
}

function stored(): Choice {
  try {
    const text = localStorage.getItem(KEY);
    return CHOICES.find((choice) => choice === text) ?? "system";
  } catch {
    return "system";
  }
}

export const theme: Theme = new Theme();
