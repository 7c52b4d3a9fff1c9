import { describeEngine } from "../../../test/engine/contract.ts";
import { interpret } from "./interpret.ts";

describeEngine("the float64 arbiter against PyTorch", {
  sees: "traced",
  run: async (outputs, feeds) => interpret(outputs, feeds),
  tolerance: () => ({ relative: 1e-12 }),
});
