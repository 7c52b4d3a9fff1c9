/**
 * The control: the same components at the same rates, each at positions drawn anew, so that none fires with another but by chance. What
 * merging gains here it gains from rates alone.
 */
import { foldIn, type Key, randomBits } from "../../tensor/index.ts";
import { type Firings, firingCounts, packFirings } from "./firings.ts";

/** Firings whose positions are drawn anew, without replacement, for each component. */
export function shuffledFirings(firings: Firings, key: Key): Firings {
  const { positions, components } = firings;
  const taken = new Uint8Array(positions);
  const lists = Array.from(firingCounts(firings), (count, c) => {
    taken.fill(0);
    // What most positions have is easier to draw by what they lack.
    const rare = 2 * count <= positions;
    const wanted = rare ? count : positions - count;
    const bits = randomBits(foldIn(key, c), wanted);
    // Floyd's sampling: each draw is of one more position; where it is taken, the last of them is.
    for (let i = 0, last = positions - wanted; i < wanted; i++, last++) {
      const drawn = Math.floor((bits[i]! / 2 ** 32) * (last + 1));
      taken[taken[drawn] === 1 ? last : drawn] = 1;
    }
    const list = new Int32Array(count);
    for (let p = 0, at = 0; p < positions; p++) if ((taken[p] === 1) === rare) list[at++] = p;
    return list;
  });
  return packFirings(positions, components, lists);
}
