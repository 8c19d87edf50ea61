import type { Need } from "./conformance-case.ts";
import type { Sdk } from "./sdk-guests.ts";

const values = "values are the language's own";
const numbers = "every number is a double";
const lanes = "five callers at one time do for it";

/** What no door can give to scripts in a language. */
export const sdkLacks = {
	JavaScript: { texts: values, "exact-numbers": numbers },
	"JavaScript sync": { texts: values, "exact-numbers": numbers, thousand: lanes },
	Python: { texts: values, thousand: lanes },
	"Python asyncio": { texts: values, thousand: lanes },
	Bash: { thousand: lanes },
} as const satisfies Readonly<Record<Sdk, Partial<Record<Need, string>>>>;
