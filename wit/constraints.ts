import { limitDefinitions } from "../host/contract/limits.ts";

/** A JSON Schema, as data. */
export type JsonSchema = { readonly [keyword: string]: unknown };

const date = "2026-11-22T19:58:36.123Z";

/**
 * What the schemas say beyond the WIT types, by the WIT name of the type, field or parameter; the helpers enforce it. A limit that
 * the operator can change is given with the most that it can be set to. A name that is not in the WIT fails `npm run generate`.
 *
 * Patterns are in the syntax that ECMAScript, Python and Rust's regex crate share, where they can be.
 */
export const constraints: Readonly<Record<string, JsonSchema>> = {
	"types.json": { examples: [{ total: 129.5, currency: "EUR" }, [1, 2, 3], "text", 0, false, null] },
	"types.key": {
		minLength: 1,
		maxLength: limitDefinitions.maxKeyCharacters.maximum,
		pattern: "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
		not: { enum: [".", ".."] },
		examples: ["orders/2026/total", "last run"],
	},
	"types.version": { minLength: 1, examples: ["1041"] },
	"types.timestamp": {
		format: "date-time",
		pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
		examples: [date],
	},
	"types.metadata.updated-by": { minLength: 1, examples: ["01K9ZQ3V6T8M4D2C7R5B1N0XWY", "operator"] },
	"types.limit.name": { examples: ["maxValueBytes"] },
	"types.limit.unit": { examples: ["bytes"] },
	"types.problem.message": { minLength: 1 },
	"variables.set-options.expires-in-ms": { minimum: 1, examples: [86_400_000] },
	"variables.list-options.prefix": { examples: ["orders/"] },
	"variables.list-options.limit": { minimum: 1, maximum: limitDefinitions.maxPageSize.maximum, default: 100 },
	"variables.increment.by": { default: 1, examples: [1, -0.5] },
	"event.execution-context.attempt": { minimum: 1 },
	"log.write.fields": { type: "object", examples: [{ orders: 300, skipped: 2 }] },
};
