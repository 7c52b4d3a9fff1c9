/** `mechanist doctor`: does this machine's device tell the truth? The same programs on it and on the float64 arbiter. */
import { freemem, totalmem } from "node:os";
import { selfCheck } from "../engine/index.ts";
import { environment } from "../run/environment.ts";
import { significant, table } from "./format.ts";
import { type DeviceOptions, placementFrom } from "./options.ts";
import type { Terminal } from "./terminal.ts";

const GIB = 2 ** 30;

export async function doctorCommand(options: DeviceOptions, terminal: Terminal): Promise<void> {
  const placement = placementFrom(options);
  const here = environment(placement.device, placement.threads);
  const checks = await selfCheck(placement);
  const ok = checks.every((check) => check.passed);
  const memory = { totalBytes: totalmem(), freeBytes: freemem() };
  terminal.document("doctor", { environment: here, memory, checks, ok });
  terminal.print(
    [
      `Mechanist ${here.mechanist}, Node ${here.node}, ONNX Runtime ${here.onnxruntime}`,
      `${here.platform} ${here.arch}, ${here.cpus} cores, ${significant(memory.freeBytes / GIB, 3)} of ${significant(memory.totalBytes / GIB, 3)} GiB free`,
      `device ${here.device}, ${here.threads ?? "as many"} threads${here.threads === null ? " as ONNX Runtime likes" : ""}`,
      "",
      table(
        ["check", "off by", "at most", ""],
        checks.map((c) => [c.name, significant(c.error, 2), significant(c.tolerance, 2), c.passed ? "good" : "WRONG"]),
      ),
      "",
      ok
        ? "This device computes what float64 computes, as far as float32 can."
        : "This device computes something else.",
    ].join("\n"),
  );
  // The numbers are wrong, and have been told: nothing more is to be said, whether as text or as JSON.
  if (!ok) process.exitCode = 4;
}
