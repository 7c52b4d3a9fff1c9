import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatAddresses, inOrder, parseAddresses } from "./address-list.ts";
import { DEFAULT_VIEW, formatRoute, parseRoute, type Route, type RunView } from "./route.ts";

const address = fc
  .record({
    site: fc.constantFrom("linear1", "identity", "blocks.1.mlp.W_in"),
    component: fc.oneof(fc.nat(300), fc.constant("remainder")),
  })
  .map(({ site, component }) => `${site}:${component}`);

const optional = <T>(key: string, value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.option(value).map((v) => (v === null ? {} : { [key]: v }) as Record<string, T>);

const view = fc
  .tuple(
    fc.record({
      off: fc.array(address).map(inOrder),
      smooth: fc.integer({ min: 0, max: 99 }).map((n) => n / 100),
      all: fc.subarray(["linear1", "linear2"]),
      turn: fc.integer({ min: -180, max: 180 }),
      draw: fc.constantFrom("bars" as const, "arrows" as const),
    }),
    optional("step", fc.nat()),
    optional("at", address),
    optional("input", fc.nat()),
  )
  .map(([base, ...rest]) => Object.assign({ ...base }, ...rest) as RunView);

const route: fc.Arbitrary<Route> = fc.oneof(
  fc.constant<Route>({ screen: "runs" }),
  fc.record({ screen: fc.constant("run" as const), name: fc.string({ minLength: 1 }), view }),
);

describe("routes", () => {
  test("every route survives being written and read", () => {
    fc.assert(
      fc.property(route, (r) => {
        expect(parseRoute(formatRoute(r))).toEqual(r);
      }),
    );
  });

  test("what is as it would be anyway is left out", () => {
    expect(formatRoute({ screen: "run", name: "first", view: DEFAULT_VIEW })).toBe("#/run/first");
    expect(parseRoute("#/run/first")).toEqual({ screen: "run", name: "first", view: DEFAULT_VIEW });
    expect(parseRoute("")).toEqual({ screen: "runs" });
  });

  test("a query that makes no sense leaves the defaults", () => {
    const parsed = parseRoute(
      "#/run/first?step=-3&off=nonsense,linear1:9-2,linear1:4&smooth=7&draw=paint&at=x&input=1e3",
    );
    expect(parsed).toEqual({ screen: "run", name: "first", view: { ...DEFAULT_VIEW, off: ["linear1:4"] } });
  });

  test("any text is read without an error", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseRoute(`#/run/a?${text}`).screen).toBe("run");
        expect(() => parseRoute(text)).not.toThrow();
      }),
    );
    expect(parseRoute("#/run/%E0%A4%A")).toEqual({ screen: "nowhere", path: "/run/%E0%A4%A" });
  });
});

describe("address lists", () => {
  test("neighbours become a range", () => {
    expect(formatAddresses(["linear1:3", "linear1:1", "linear1:2", "linear2:remainder", "linear1:9"])).toBe(
      "linear1:1-3,linear1:9,linear2:remainder",
    );
    expect(parseAddresses("linear1:1-3,linear1:2")).toEqual(["linear1:1", "linear1:2", "linear1:3"]);
  });

  test("a range too long to be meant is left out", () => {
    expect(parseAddresses("linear1:0-999999999")).toEqual([]);
  });
});
