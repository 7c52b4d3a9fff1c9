/** Divergence against size, a line a subject, between the end points that all share: nothing lost, and chance. */
import { scaleLinear, scaleSymlog } from "d3-scale";
import {
  CONTROLS,
  type Curve,
  type CurvePoint,
  type Scoreboard,
  type SizeAxis,
  type SubjectRow,
} from "../../evidence/referee/scoreboard.ts";
import { at, escaped, shortNumber } from "../markup.ts";
import { DASHES, type Ink } from "./colours.ts";

const [WIDTH, HEIGHT, LEFT, TOP] = [400, 250, 56, 14];

const AXIS_NAMES: Readonly<Record<SizeAxis, string>> = { units: "active units a row", bits: "bits a row" };

/**
 * One figure.
 *
 * @param curves of one measure, ablation and ranking
 */
export function curvesFigure(
  { protocol, network }: Scoreboard,
  curves: readonly Curve[],
  axis: SizeAxis,
  inks: ReadonlyMap<string, Ink>,
): string {
  const placed = curves.map((curve) => ({ ...curve, points: placedOn(axis, curve) }));
  const most = Math.max(1, ...placed.flatMap(({ points }) => points.map(({ place }) => place)));
  // Explanations of nothing have a place, too, and few units are looked at more closely than many.
  const x = scaleSymlog()
    .constant(axis === "units" ? 1 : 16)
    .domain([0, most])
    .range([0, WIDTH]);
  const share = (divergence: number): number => divergence / protocol.chance;
  const top = Math.min(2, Math.max(1.05, ...placed.flatMap(({ points }) => points.map((p) => share(p.divergence)))));
  const y = scaleLinear().domain([0, top]).nice().range([HEIGHT, 0]).clamp(true);
  const decades = [0, ...[1, 10, 100, 1000, 10_000, 100_000].filter((tick) => tick <= most)];
  const grid = [
    ...y
      .ticks(5)
      .map(
        (t) =>
          `<line class="grid" x2="${WIDTH}" y1="${at(y(t))}" y2="${at(y(t))}"/><text text-anchor="end" x="-6" y="${at(y(t) + 4)}">${shortNumber(t)}</text>`,
      ),
    ...decades.map((t) => `<text text-anchor="middle" x="${at(x(t))}" y="${HEIGHT + 16}">${shortNumber(t)}</text>`),
  ];
  // Controls first, so that no method is drawn over.
  const drawn = [...placed].sort((a, b) => Number(inks.get(b.subject)!.faint) - Number(inks.get(a.subject)!.faint));
  const lines = drawn.map(({ subject, points }) => {
    const { colour, dashes, faint } = inks.get(subject)!;
    const path = points.map((p) => `${at(x(p.place))},${at(y(share(p.divergence)))}`).join(" ");
    const dots = points.map((p) => {
      const sizes = `${shortNumber(p.size)} units${p.bits === null ? "" : `, ${shortNumber(p.bits)} bits`}`;
      const own = p.natural ? "; what it calls active itself" : "";
      const told = `${subject}: ${sizes}; ${shortNumber(p.divergence)} ${network.unit}, ${shortNumber(share(p.divergence))} of chance${own}`;
      const look = p.natural ? 'r="5" class="natural"' : 'r="2.2"';
      return `<circle cx="${at(x(p.place))}" cy="${at(y(share(p.divergence)))}" ${look}><title>${escaped(told)}</title></circle>`;
    });
    return `<g class="${colour}${faint ? " faint" : ""}"><polyline points="${path}" stroke-dasharray="${dashes}"/>${dots.join("")}</g>`;
  });
  return `<svg viewBox="${-LEFT} ${-TOP} ${WIDTH + LEFT + 12} ${HEIGHT + TOP + 44}" width="${WIDTH + LEFT + 12}" role="img" aria-label="divergence against ${AXIS_NAMES[axis]}">
${grid.join("")}<line class="chance" x2="${WIDTH}" y1="${at(y(1))}" y2="${at(y(1))}"/><rect class="frame" width="${WIDTH}" height="${HEIGHT}"/>${lines.join("")}
<text text-anchor="middle" x="${WIDTH / 2}" y="${HEIGHT + 34}">${AXIS_NAMES[axis]}</text><text text-anchor="middle" transform="translate(-42,${HEIGHT / 2}) rotate(-90)">divergence, of chance</text></svg>`;
}

/** A curve's points by their place on an axis, rising; without those that have none there. */
function placedOn(axis: SizeAxis, { points }: Curve): readonly (CurvePoint & { readonly place: number })[] {
  return points
    .flatMap((point) => {
      const place = axis === "units" ? point.size : point.bits;
      return place === null ? [] : [{ ...point, place }];
    })
    .sort((a, b) => a.place - b.place);
}

/** Which line is whose: methods by colour, kinds of control by pattern. */
export function legend(subjects: readonly SubjectRow[], inks: ReadonlyMap<string, Ink>): string {
  const entry = (colour: string, dashes: string, text: string): string =>
    `<li class="${colour}"><svg width="26" height="10" aria-hidden="true"><polyline points="0,5 26,5" stroke-dasharray="${dashes}"/></svg> ${escaped(text)}</li>`;
  const methods = subjects.filter(({ control }) => control === undefined);
  const kinds = [...new Set(subjects.flatMap(({ control }) => control ?? []))];
  const entries = [
    ...methods.map(({ name }) => entry(inks.get(name)!.colour, inks.get(name)!.dashes, name)),
    ...kinds.map((kind) => entry("control", DASHES[kind], `${kind}: ${CONTROLS[kind]}`)),
  ];
  return `<ul class="legend">${entries.join("")}</ul>`;
}
