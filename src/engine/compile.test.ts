import { describeEngine } from "../../test/engine/contract.ts";
import { compile } from "./compile.ts";

describeEngine("ONNX Runtime on the processor against PyTorch", {
  sees: "simplified",
  run: async (outputs, feeds) => {
    const executable = await compile(outputs, { threads: 1 });
    try {
      return await executable.run(feeds);
    } finally {
      await executable.dispose();
    }
  },
  tolerance: () => ({ relative: 1e-6 }),
});
