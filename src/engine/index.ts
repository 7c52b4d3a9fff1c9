/** The engine: traced programs on ONNX Runtime, and the float64 arbiter. */
export type { Values, NamedValues, NumberArray } from "./values.ts";
export { expectFinite, itemOf, scalarValue, values } from "./values.ts";
export { interpret } from "./interpreter/interpret.ts";
export type { CompileOptions, Executable } from "./compile.ts";
export { compile } from "./compile.ts";
export type { StepInputs, StepProgram, Stepper, StepperOptions } from "./steps.ts";
export { compileSteps } from "./steps.ts";
export { type Device, DEVICES, defaultDevice } from "./device.ts";
export { narrow } from "./narrow.ts";
export { simplify } from "./simplify.ts";
export { type Check, selfCheck } from "./self-check.ts";
