import { describeEngine } from "./engine-conformance.ts";

describeEngine("quickjs-emscripten");
