/** One call, as the OpenAPI document shows it. Values are JSON values; `npm test` checks each against its schema. */
export interface OperationExample {
	/** By WIT name: `key`, `options.if-version`. */
	readonly parameters?: Readonly<Record<string, unknown>>;
	/** The body of the answer; for 204 there is none. */
	readonly answer?: unknown;
}

const version = "1041";
const createdAt = "2026-11-01T06:00:00.000Z";
const updatedAt = "2026-11-22T19:58:36.123Z";
const executionId = "01K9ZQ3V6T8M4D2C7R5B1N0XWY";
const key = "orders/2026/total";
const total = { orders: 300, sum: 18_240.5, currency: "EUR" };

/** Exhaustive, as wit/operations.ts is. */
export const examples: Readonly<Record<string, OperationExample>> = {
	"io.get-input": { answer: { since: createdAt, customers: ["ada", "grace"] } },
	"io.set-output": { parameters: { value: total } },
	"variables.get": { parameters: { key }, answer: total },
	"variables.get-entry": { parameters: { key }, answer: total },
	"variables.set": {
		parameters: {
			key,
			value: total,
			"options.if-version": version,
			"options.if-absent": true,
			"options.expires-in-ms": 86_400_000,
		},
		answer: "1042",
	},
	"variables.delete": { parameters: { key, "options.if-version": version }, answer: true },
	"variables.list": {
		parameters: { "options.prefix": "orders/", "options.cursor": "b3JkZXJz", "options.limit": 50 },
		answer: {
			items: [{ key, metadata: { version, createdAt, updatedAt, updatedBy: executionId, size: 47 } }],
			cursor: "b3JkZXJzLzIwMjY",
		},
	},
	"variables.increment": { parameters: { key: "runs", by: 1 }, answer: 2 },
	"condition.set": { parameters: { value: true } },
	"condition.get": { answer: true },
	"event.get-context": {
		answer: {
			id: "42",
			name: "Nightly totals",
			type: "schedule",
			userId: "ada",
			server: { id: "7", name: "warehouse" },
			successCount: 118,
			failureCount: 2,
			lastRunAt: createdAt,
			execution: {
				id: executionId,
				namespace: "ada",
				mode: "container",
				attempt: 1,
				startedAt: updatedAt,
				deadlineAt: "2026-11-22T19:59:06.123Z",
			},
		},
	},
	"log.write": { parameters: { level: "info", message: "Totals written", fields: { orders: 300, skipped: 2 } } },
};

/** What an error carries besides code, title and status. */
export const problemExamples: Readonly<Record<string, { readonly detail: string; readonly [member: string]: unknown }>> = {
	unauthenticated: { detail: "The execution token has expired." },
	denied: { detail: "This run lacks the scope variables:write." },
	"not-found": { detail: 'There is no variable "orders/2026/total".' },
	conflict: { detail: 'The variable "orders/2026/total" has another version now.', currentVersion: "1042" },
	"idempotency-mismatch": { detail: "The idempotency key was used for a different call of this run." },
	invalid: { detail: "expiresInMs is 0; it must be a whole number from 1 to 9007199254740991." },
	"too-large": {
		detail: "value is 1048577 bytes; the limit is 1048576.",
		limit: { name: "maxValueBytes", value: 1_048_576, unit: "bytes" },
	},
	"rate-limited": { detail: "More than 100 calls in one second.", retryAfterMs: 1_000 },
	"timed-out": {
		detail: "The run is over its deadline.",
		limit: { name: "maxWallTimeMs", value: 30_000, unit: "milliseconds" },
	},
	cancelled: { detail: "The run has ended." },
	unavailable: { detail: "The store cannot answer now; nothing was changed.", retryAfterMs: 500 },
	"tool-failed": { detail: "The action sent no message: the channel does not exist." },
	unsupported: { detail: "This mode does not have the operation." },
	internal: { detail: "The runtime failed to answer this call." },
};
