import { describeDevice } from "../engine/describe-device.ts";
import { FLOAT32 } from "../engine/tolerances.ts";

describeDevice("ONNX Runtime on WebGPU in Chromium", "webgpu", {
  tolerance: (family, { call }) =>
    // WGSL asks of sine and cosine no more than an absolute error of 2⁻¹¹.
    call[0] === "sin" || call[0] === "cos" ? { relative: 0, absolute: 2 ** -11 * 2 } : FLOAT32[family]!,
});
