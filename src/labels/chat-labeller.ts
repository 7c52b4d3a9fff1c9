/** A language model behind a chat endpoint as a labeller and judge. */
import { z } from "zod";
import { ask, type ChatEndpoint, type ChatOptions } from "./chat.ts";
import { addUsage, type Answer, type Label, type Labeller, NO_USAGE } from "./labeller.ts";
import { detectionPrompt, fuzzingPrompt, intruderPrompt, labelPrompt } from "./prompts.ts";

/** How often a question is asked whose answer cannot be made out. */
const ASKED = 3;

const labelAnswer = z.object({ label: z.string().trim().min(1), reasoning: z.string().default("") });

/** The JSON object in an answer, which may stand among other words or in a fence; the last one there is. */
export function objectIn(text: string): unknown {
  for (let end = text.lastIndexOf("}"); end >= 0; end = text.lastIndexOf("}", end - 1)) {
    for (
      let start = text.lastIndexOf("{", end);
      start >= 0;
      start = start === 0 ? -1 : text.lastIndexOf("{", start - 1)
    ) {
      try {
        return JSON.parse(text.slice(start, end + 1));
      } catch {
        // Not yet a whole object: the next brace to the left may open it.
      }
    }
  }
  return undefined;
}

export function chatLabeller(endpoint: ChatEndpoint, options: ChatOptions = {}): Labeller {
  const answered = async <T>(
    prompt: string,
    schema: z.ZodType<T>,
    signal: AbortSignal | undefined,
  ): Promise<Answer<T>> => {
    let usage = NO_USAGE;
    for (let i = 0; i < ASKED; i++) {
      const given = await ask(endpoint, prompt, signal, options);
      usage = addUsage(usage, given.usage);
      const parsed = schema.safeParse(objectIn(given.text));
      if (parsed.success) return { value: parsed.data, usage };
    }
    return { value: undefined, usage };
  };
  const truths = (count: number): z.ZodType<readonly boolean[]> =>
    z.object({ answers: z.array(z.boolean()).length(count) }).transform(({ answers }) => answers);
  const choice = (count: number): z.ZodType<number> =>
    z.object({ choice: z.int().min(1).max(count) }).transform((given) => given.choice - 1);
  return {
    name: endpoint.model,
    label: (evidence, signal): Promise<Answer<Label>> => answered(labelPrompt(evidence), labelAnswer, signal),
    detect: (label, items, how, signal) => answered(detectionPrompt(label, items, how), truths(items.length), signal),
    fuzz: (label, items, how, signal) => answered(fuzzingPrompt(label, items, how), truths(items.length), signal),
    intruder: (items, how, signal) => answered(intruderPrompt(items, how), choice(items.length), signal),
  };
}
