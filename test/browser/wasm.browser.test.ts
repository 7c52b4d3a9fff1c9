import { describeDevice } from "../engine/describe-device.ts";

describeDevice("ONNX Runtime as WebAssembly in Chromium", "wasm");
