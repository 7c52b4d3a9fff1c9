import { expect, test } from "vitest";
import { nearest } from "./nearest.ts";

test("the nearest name has fewest letters to add, take away, change or swap", () => {
  const methods = ["spd", "sae", "topk", "jumprelu"];
  expect(nearest("sea", methods)).toBe("sae");
  expect(nearest("tpok", methods)).toBe("topk");
  expect(nearest("SPDD", methods)).toBe("spd");
  expect(nearest("jumprleu", methods)).toBe("jumprelu");
});

test("nothing is near to what is far from all", () => {
  expect(nearest("transcoder", ["spd", "sae"])).toBeUndefined();
  expect(nearest("spd", [])).toBeUndefined();
});
