/** `mechanist look`: one instrument on a network, beside its null. */
import { MechanistError } from "../error.ts";
import { RunnableNetwork } from "../network/run.ts";
import { named } from "../settings.ts";
import { shownPath, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { INSTRUMENTS } from "./look/instruments.ts";
import { type LookOptions, openSubject } from "./look/subject.ts";
import { type DeviceOptions, placementFrom } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface LookCommandOptions extends DeviceOptions, LookOptions {
  readonly with?: string;
}

export async function lookCommand(
  given: string | undefined,
  options: LookCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const { with: name } = options;
  if (name === undefined) return listed(terminal);
  const instrument = named("instrument", name, INSTRUMENTS);
  if (given === undefined)
    throw new MechanistError("BadArgument", "look: expected a run or a network's folder, got none");
  const placement = placementFrom(options);
  const { opened, looked } = await interruptible(terminal, async ({ signal }) => {
    terminal.working(`opening ${given}`);
    const runnables: RunnableNetwork[] = [];
    const subject = await openSubject(given, options, {
      signal,
      terminal,
      runnableOf: ({ network, weights }) => {
        const made = new RunnableNetwork(network, weights, placement);
        runnables.push(made);
        return made;
      },
    });
    try {
      terminal.working(`${name} of ${given}`);
      return { opened: subject.opened, looked: await instrument.look(subject) };
    } finally {
      for (const runnable of runnables) await runnable.dispose();
    }
  });
  terminal.clear();
  const { found, head, rows, notes = [] } = looked;
  const { title, path } = opened;
  terminal.document("look", { network: title, path, instrument: name, ...found });
  terminal.print(
    [
      `${title}, ${shownPath(path)}: ${instrument.summary}`,
      "",
      table(head, rows),
      "",
      ...notes,
      `n: ${found.n.toLocaleString("en-US")} ${found.counted}. Null: ${found.nullDescription}.`,
      `Does not establish ${found.doesNotEstablish}.`,
    ].join("\n"),
  );
}

function listed(terminal: Terminal): void {
  const all = Object.entries(INSTRUMENTS).map(([name, { summary, takes }]) => ({ name, summary, takes }));
  terminal.document("look", { instruments: all });
  terminal.print(
    table(
      ["instrument", "what it shows", "what it takes"],
      all.map(({ name, summary, takes }) => [name, summary, takes]),
    ),
  );
}
