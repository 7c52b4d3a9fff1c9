/** A file's text or ids as a stream of rows of tokens: read a range at a time, told by one document what to make of it. */
import type { ByteSource } from "../file/bytes.ts";
import { parquetDocuments } from "./parquet-documents.ts";
import { jsonLineDocuments, type StoredDocument, textDocuments } from "./text-documents.ts";
import type { TokenData } from "./token-data.ts";
import { type TokenDocument, type TokenRow, tokenRows } from "./token-rows.ts";

/** What text needs to become ids. */
export interface TextEncoding {
  /** A text's own ids, without marks before or after it: those are the document's to add. */
  encode(text: string): readonly number[];
}

/** The documents of a file, as they are stored. */
export function storedDocuments(source: ByteSource, data: TokenData): AsyncGenerator<StoredDocument> {
  if (data.format === "text") return textDocuments(source, data.separator);
  return data.format === "jsonl" ? jsonLineDocuments(source, data.field) : parquetDocuments(source, data.field);
}

/** Documents as ids: text is encoded, ids are taken as they are. */
export async function* tokenDocuments(
  documents: AsyncIterable<StoredDocument>,
  tokenizer: TextEncoding,
): AsyncGenerator<TokenDocument> {
  for await (const { content, where } of documents)
    yield { ids: typeof content === "string" ? tokenizer.encode(content) : content, where };
}

/**
 * A file's rows of tokens, in the order of the file.
 *
 * @throws what reading, encoding and packing throw: see `storedDocuments`, the tokenizer and `tokenRows`
 */
export function tokenStream(source: ByteSource, tokenizer: TextEncoding, data: TokenData): AsyncGenerator<TokenRow> {
  return tokenRows(tokenDocuments(storedDocuments(source, data), tokenizer), data);
}
