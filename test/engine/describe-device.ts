/** The whole contract of engines for a device of ONNX Runtime. */
import { expect, test } from "vitest";
import { compile } from "../../src/engine/compile.ts";
import type { Device } from "../../src/engine/device.ts";
import { selfCheck } from "../../src/engine/self-check.ts";
import { describeEngine, type Engine } from "./contract.ts";
import { describeSteps } from "./steps-contract.ts";
import { FLOAT32 } from "./tolerances.ts";

export function describeDevice(name: string, device: Device, differences: Partial<Engine> = {}): void {
  describeEngine(name, {
    sees: "simplified",
    run: async (outputs, feeds) => {
      const executable = await compile(outputs, { device, threads: 1 });
      try {
        return await executable.run(feeds);
      } finally {
        await executable.dispose();
      }
    },
    tolerance: (family) => FLOAT32[family]!,
    ...differences,
  });
  describeSteps(`${name}: training steps`, device);
  test(`${name}: passes its own check`, async () => {
    const checks = await selfCheck({ device, threads: 1 });
    expect(checks.filter(({ passed }) => !passed)).toEqual([]);
  });
}
