/** What removing one mechanism did where it is active, against what it did where it is not: a point a mechanism. */
import { scaleSymlog } from "d3-scale";
import type { Edit, Scoreboard } from "../../evidence/referee/scoreboard.ts";
import { at, escaped, shortNumber } from "../markup.ts";
import type { Ink } from "./colours.ts";

const [SIDE, LEFT] = [260, 60];
/** Shares of chance below this are drawn as lying side by side. */
const NOTHING = 1e-4;

/** The figure; both axes in shares of the divergence of chance. */
export function editsFigure({ edits: all, protocol }: Scoreboard, inks: ReadonlyMap<string, Ink>): string {
  // A mechanism that is active everywhere has no place where it is not.
  const edits = all.filter(({ active, inactive }) => active > 0 && inactive > 0);
  const share = (divergence: number): number => divergence / protocol.chance;
  const most = Math.max(NOTHING * 10, ...edits.flatMap((edit) => [share(edit.onTarget), share(edit.offTarget)]));
  const place = scaleSymlog().constant(NOTHING).domain([0, most]).range([0, SIDE]);
  const ticks = [0, 1e-4, 1e-3, 1e-2, 0.1, 1, 10].filter((tick) => tick <= most);
  const grid = ticks.map(
    (t) =>
      `<text text-anchor="middle" x="${at(place(t))}" y="${SIDE + 16}">${shortNumber(t)}</text><text text-anchor="end" x="-6" y="${at(SIDE - place(t) + 4)}">${shortNumber(t)}</text>`,
  );
  const point = (edit: Edit): string => {
    const told = `${edit.subject}, ${edit.address} removed: ${shortNumber(share(edit.onTarget))} of chance at ${edit.active} places where it is active, ${shortNumber(share(edit.offTarget))} at ${edit.inactive} where it is not`;
    return `<circle class="${inks.get(edit.subject)!.colour}" cx="${at(place(share(edit.onTarget)))}" cy="${at(SIDE - place(share(edit.offTarget)))}" r="3.5" fill-opacity=".75"><title>${escaped(told)}</title></circle>`;
  };
  return `<svg viewBox="${-LEFT} -8 ${SIDE + LEFT + 16} ${SIDE + 52}" width="${SIDE + LEFT + 16}" role="img" aria-label="off-target against on-target divergence of edits">
<rect class="frame" width="${SIDE}" height="${SIDE}"/><line class="chance" y1="${SIDE}" x2="${SIDE}" y2="0"/>${grid.join("")}${edits.map(point).join("")}
<text text-anchor="middle" x="${SIDE / 2}" y="${SIDE + 36}">where it is active, of chance</text><text text-anchor="middle" transform="translate(-46,${SIDE / 2}) rotate(-90)">where it is not</text></svg>`;
}
