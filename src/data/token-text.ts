/** One token as people read it. Vocabularies write spaces and bytes in letters of their own: `Ġthe`, `▁the`, `<0x0A>`. */

/** The text of a token for display, by the kind of its tokenizer's decoder. */
export function tokenDisplay(decoder: unknown, special: ReadonlySet<string>): (token: string) => string {
  const kinds = decoderKinds(decoder);
  if (kinds.includes("ByteLevel")) return (token) => (special.has(token) ? token : byteText(token));
  const spaced = kinds.includes("Metaspace") || kinds.includes("Replace");
  return (token) => (spaced && !special.has(token) ? token.replaceAll("▁", " ") : token);
}

function decoderKinds(decoder: unknown): readonly string[] {
  const { type, decoders } = (decoder ?? {}) as { readonly type?: unknown; readonly decoders?: unknown };
  return [String(type), ...(Array.isArray(decoders) ? decoders.flatMap(decoderKinds) : [])];
}

/**
 * The byte each letter stands for: printable bytes for themselves, the others for letters from U+0100 on, in order. Source: GPT-2's
 * byte-level vocabulary, which every byte-level tokenizer since has.
 */
const BYTE_OF: ReadonlyMap<string, number> = (() => {
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const printable = (byte: number): boolean => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  const hidden = bytes.filter((byte) => !printable(byte));
  return new Map(
    bytes.map((byte) => [String.fromCharCode(printable(byte) ? byte : 0x100 + hidden.indexOf(byte)), byte]),
  );
})();

/** The bytes of a token as UTF-8, each that is no part of a whole character as `<0xE2>`. */
function byteText(token: string): string {
  const letters = [...token];
  const bytes = letters.map((letter) => BYTE_OF.get(letter));
  if (bytes.includes(undefined)) return token;
  const all = Uint8Array.from(bytes as number[]);
  let text = "";
  for (let at = 0; at < all.length;) {
    const length = characterAt(all, at);
    text +=
      length === 0
        ? `<0x${all[at]!.toString(16).toUpperCase().padStart(2, "0")}>`
        : UTF8.decode(all.subarray(at, at + length));
    at += Math.max(1, length);
  }
  return text;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** How many bytes the whole character at a place takes; 0 where there is none. */
function characterAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  try {
    UTF8.decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    return 0;
  }
}
