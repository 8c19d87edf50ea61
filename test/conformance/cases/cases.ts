import type { ConformanceCase } from "../conformance-case.ts";
import { incrementCases } from "./increments.ts";
import { keyCases } from "./keys.ts";
import { rightsCases } from "./rights.ts";
import { runCases } from "./run.ts";
import { transportCases } from "./transport.ts";
import { valueCases } from "./values.ts";
import { variableCases } from "./variables.ts";

/** Every promise that is the same through every door. */
export const cases: readonly ConformanceCase[] = [
	...valueCases,
	...keyCases,
	...variableCases,
	...incrementCases,
	...runCases,
	...rightsCases,
	...transportCases,
];
