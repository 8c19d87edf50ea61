import type { JsonSchema } from "./constraints.ts";
import type { Contract } from "./contract.ts";
import { problemExamples } from "./examples.ts";
import { WitError } from "./syntax.ts";

// The parts of the OpenAPI document that belong to HTTP rather than to a function of the contract.

/** What every answer says about the rate limit of the run. */
export const rateLimitHeaders = {
	RateLimit: { $ref: "#/components/headers/RateLimit" },
	"RateLimit-Policy": { $ref: "#/components/headers/RateLimitPolicy" },
};

export const sharedComponents = {
	parameters: {
		Traceparent: {
			name: "traceparent",
			in: "header",
			required: false,
			description: "The W3C trace context of the caller.",
			schema: { type: "string", pattern: "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$" },
			example: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		},
		IdempotencyKey: {
			name: "Idempotency-Key",
			in: "header",
			required: false,
			description:
				"Makes a repeated call return the first one's result instead of taking effect again. Scoped to the run. SDKs send one with every call, so that they can try again safely.",
			schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[!-~]+$" },
			example: "3f0c7f0e-6a0b-4c55-9a57-2f1f3b7f9f10",
		},
	},
	headers: {
		RateLimit: {
			description: "Calls that are left (`r`) and seconds until there are all of them again (`t`).",
			schema: { type: "string" },
			example: '"run";r=99;t=1',
		},
		RateLimitPolicy: {
			description: "How many calls (`q`) there are in how many seconds (`w`).",
			schema: { type: "string" },
			example: '"run";q=100;w=1',
		},
		RetryAfter: {
			description: "Seconds to wait before trying again.",
			schema: { type: "integer", minimum: 0 },
			example: 1,
		},
	},
	securitySchemes: {
		executionToken: {
			type: "http",
			scheme: "bearer",
			bearerFormat: "JWT",
			description:
				"The token of one run, for one door (`sidecar`, `bridge` or `agent`); it ends with the run. `CRONIUM_EXECUTION_TOKEN`, or the content of the file `CRONIUM_EXECUTION_TOKEN_FILE`. The names listed with an operation are the scopes that the run must have.",
		},
		clientCertificate: {
			type: "mutualTLS",
			description:
				"The certificate of the run (`CRONIUM_CLIENT_CERT`, `CRONIUM_CLIENT_KEY`), to which the token is bound. The sidecar takes no call without it.",
		},
	},
};

/** The one route that is no function of the contract: its answer is a secret, which no journal may hold. */
export const tokenRoute = {
	path: "/v1/token",
	errors: [
		"unauthenticated",
		"denied",
		"invalid",
		"too-large",
		"rate-limited",
		"timed-out",
		"cancelled",
		"unavailable",
		"internal",
	],
	tag: { name: "token", description: "The execution token itself." },
	operation: {
		operationId: "renewToken",
		summary: "Makes a new execution token like the one that it is asked with.",
		description:
			"For the same run, door, scopes and certificate, and as long as that one was for. That one stays good for 30 seconds. It takes no idempotency key: nobody keeps the answer.",
		tags: ["token"],
		security: [{ executionToken: [] }, { executionToken: [], clientCertificate: [] }],
		parameters: [{ $ref: "#/components/parameters/Traceparent" }],
		answer: {
			description: "The new token.",
			headers: rateLimitHeaders,
			content: {
				"application/json": {
					schema: {
						type: "object",
						properties: { token: { type: "string" }, expiresAt: { type: "string", format: "date-time" } },
						required: ["token", "expiresAt"],
						additionalProperties: false,
					},
					example: {
						token: "eyJhbGciOiJFZDI1NTE5IiwidHlwIjoiY3Jvbml1bS1leGVjdXRpb24rand0In0.…",
						expiresAt: "2026-01-31T12:10:00.000Z",
					},
				},
			},
		},
	},
} as const;

/** RFC 9457 with the fields of the WIT record `problem`; its `message` is the `detail`. */
export function problemSchema(contract: Contract, wit: JsonSchema): JsonSchema {
	const { message, ...members } = (wit.properties ?? {}) as Record<string, JsonSchema>;
	return {
		title: "Problem",
		description: "What went wrong: problem details (RFC 9457) with the code of the contract's error.",
		type: "object",
		properties: {
			type: { type: "string", format: "uri-reference", description: "`urn:cronium:error:` and the code." },
			title: { type: "string", description: "What the code means." },
			status: { type: "integer", minimum: 400, maximum: 599, description: "The HTTP status." },
			detail: { ...message },
			instance: { type: "string", format: "uri-reference", description: "The call, for looking it up in the journal." },
			code: {
				type: "string",
				enum: contract.errors.map(({ name }) => name),
				description: "The error, the same in every SDK. The set is closed.",
			},
			...members,
		},
		required: ["type", "title", "status", "detail", "code"],
	};
}

/** The response for one code. */
export function problemResponse(code: string, title: string, status: number) {
	const example = problemExamples[code];
	if (!example) throw new WitError(undefined, `the error ${code} has no example in wit/examples.ts`);
	const { retryAfterMs } = example;
	return {
		description: `\`${code}\`: ${title}`,
		headers: {
			...rateLimitHeaders,
			...(retryAfterMs === undefined ? {} : { "Retry-After": { $ref: "#/components/headers/RetryAfter" } }),
		},
		content: {
			"application/problem+json": {
				schema: {
					allOf: [{ $ref: "#/components/schemas/Problem" }],
					properties: { code: { const: code }, status: { const: status } },
				},
				examples: { [code]: { value: { type: `urn:cronium:error:${code}`, title, status, code, ...example } } },
			},
		},
	};
}
