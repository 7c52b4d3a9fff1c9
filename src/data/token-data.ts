/**
 * How text becomes rows of tokens: a document of plain values that a run keeps. Nothing is guessed: where a beginning is marked, what
 * stands between documents and on which side rows are padded decides what a network computes.
 */
import { z } from "zod";
import { MechanistError } from "../error.ts";

const id = z.int().min(0).nullable().default(null);

/** Everything that decides the rows, beside the text and the tokenizer. */
export const tokenDataSchema = z.strictObject({
  format: z.enum(["text", "jsonl", "parquet"]).describe("how documents are stored"),
  field: z.string().min(1).default("text").describe("field of JSONL or column of Parquet: text, or lists of token ids"),
  separator: z
    .string()
    .default("")
    .describe("what stands between the documents of a plain text; empty: all of it is one document"),
  pos: z.int().min(2).max(1_000_000).describe("tokens in a row"),
  packing: z
    .enum(["packed", "one-a-row"])
    .describe("packed: documents one after another, cut where a row is full; one-a-row: each document in its own row"),
  bos: z
    .enum(["none", "document", "row"])
    .describe("where the token bosId is put: nowhere, before each document, or first in each row"),
  eos: z.enum(["none", "document"]).describe("where the token eosId is put: nowhere, or after each document"),
  overflow: z
    .enum(["truncate", "split"])
    .default("truncate")
    .describe("of a document too long for its row, one-a-row: leave the rest out, or give it rows of its own"),
  remainder: z
    .enum(["drop", "pad"])
    .default("drop")
    .describe("packed, of the last tokens that fill no row: leave them out, or pad the row"),
  padding: z.enum(["left", "right"]).default("right").describe("on which side short rows get the token padId"),
  bosId: id.describe("id of the token before documents or rows"),
  eosId: id.describe("id of the token after documents"),
  padId: id.describe("id of the token that fills rows"),
  vocabulary: z.int().min(1).max(10_000_000).describe("ids are below this"),
});
export type TokenData = z.infer<typeof tokenDataSchema>;

/**
 * Refuses a document that asks for a token without saying which, or for one beyond the vocabulary.
 *
 * @throws `BadArgument`
 */
export function expectTokenIds(data: TokenData): void {
  const needs = {
    bosId: data.bos !== "none",
    eosId: data.eos !== "none",
    padId: data.packing === "one-a-row" || data.remainder === "pad",
  };
  for (const [name, needed] of Object.entries(needs) as ["bosId" | "eosId" | "padId", boolean][]) {
    const given = data[name];
    if (given === null && !needed) continue;
    if (given !== null && given < data.vocabulary) continue;
    throw new MechanistError(
      "BadArgument",
      `token data ${name}: expected an id below ${data.vocabulary}, got ${given ?? "none"}`,
      { key: name, value: given },
    );
  }
}
