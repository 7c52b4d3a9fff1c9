import { expect, test } from "vitest";
import type { AttributionTable, SweepRow } from "../intervention/index.ts";
import { agreementOf, patchingPage } from "./patching-page.ts";

const row = (layer: number, position: number, mean: number): SweepRow => ({
  selections: [],
  n: 1,
  mean,
  interval: null,
  perExample: [mean],
  point: `blocks.${layer}.hook_attn_out`,
  layer,
  position,
});
const table = (rows: readonly SweepRow[]): AttributionTable<SweepRow> => ({
  kind: "patch",
  reference: { name: "clean", rows: [0], n: 1 } as never,
  description: "",
  direction: "denoise",
  examples: "corrupt",
  n: 1,
  metric: { name: "logit difference", unit: "logits", meaning: "larger favours the answer" },
  interval: "",
  baseline: [-1],
  source: [3],
  rows,
  method: "gradient at the corrupt run",
  regime: { meanMaxAttention: 0.5, undecided: 0.25, byHead: [[0.5]] },
});
const effects = table([row(0, 0, 1), row(0, 1, -2), row(1, 0, 0), row(1, 1, 4)]);
const estimates = table([row(0, 0, 1), row(0, 1, -2), row(1, 0, 1), row(1, 1, 4)]);
const page = (attribution = estimates, clean = ["the", "<cat>"]): string =>
  patchingPage({
    title: "toy",
    sweep: "layer-position",
    clean,
    corrupt: ["the", "dog"],
    activation: effects,
    attribution,
    command: "mechanist patch toy",
  });

test("agreement is a correlation and the largest difference", () => {
  expect(agreementOf(effects, effects)).toEqual({ correlation: expect.closeTo(1, 12), largestDifference: 0 });
  const { correlation, largestDifference } = agreementOf(effects, estimates);
  expect(correlation).toBeGreaterThan(0.95);
  expect(correlation).toBeLessThan(1);
  expect(largestDifference).toBe(1);
  const flat = table(effects.rows.map((r) => ({ ...r, mean: 0 })));
  expect(agreementOf(effects, flat)).toEqual({ correlation: null, largestDifference: 4 });
});

test("the page has a cell for each effect and each estimate, a point for each pair, and its data", () => {
  const html = page();
  expect(html.match(/<rect x=/g)).toHaveLength(8);
  expect(html.match(/<circle /g)).toHaveLength(4);
  expect(html).toContain("<title>blocks.1.hook_attn_out position 1 &lt;cat&gt;: 4.00</title>");
  expect(html).toContain("<title>blocks.0.hook_attn_out position 1: patched −2.00, by gradient −2.00</title>");
  const data = /<script type="application\/json" id="data">(.*)<\/script>/.exec(html)![1]!;
  expect((JSON.parse(data) as { activation: unknown }).activation).toEqual(effects);
});

test("it needs nothing from elsewhere, and runs nothing that a token says", () => {
  const html = page(estimates, ["<script>alert(1)</script>", '"x" onload=']);
  expect(html).not.toMatch(/<script>|https?:|src=|href=/);
  expect(html).toContain("&lt;script&gt;");
});
