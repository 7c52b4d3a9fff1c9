/** What all pages of a report are made of: text that is safe in HTML, numbers as people read them, colours for light and dark. */

/** Text in HTML or SVG, and in attributes. */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** Three digits and a proper minus. */
export function shortNumber(x: number): string {
  if (!Number.isFinite(x)) return "–";
  const short = String(Number(x.toPrecision(3)));
  return short.replace(/^-/, "−").replace("e-", "e−");
}

/** A place in a drawing. */
export const at = (x: number): string => x.toFixed(1);

/** Data inside a page, which no text of it can end. */
export function embedded(data: unknown): string {
  return `<script type="application/json" id="data">${JSON.stringify(data).replaceAll("<", "\\u003c")}</script>`;
}

/** A page that needs no other: no address outside itself. */
export function page(title: string, style: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${PAGE_STYLE}${style}</style>
${body}
</html>
`;
}

const PAGE_STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1c1c22, #ececf1); --soft: light-dark(#5d5d68, #a2a2ae); --line: light-dark(#d6d6dc, #43434d); --paper: light-dark(#fafaf9, #17171b); }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.5rem; line-height: 1.25 } h2 { font-size: 1.1rem; margin-top: 2rem } figure { margin: 0; max-width: 100%; overflow-x: auto } figcaption { color: var(--soft); max-width: 44rem }
svg { max-width: none; font-size: 11px } svg text { fill: var(--soft) } .frame { fill: none; stroke: var(--line) } pre { white-space: pre-wrap }
`;
