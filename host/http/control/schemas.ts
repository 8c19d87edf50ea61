import { errorCodes, scopes } from "../../contract/generated/types.ts";
import { limitDefinitions } from "../../contract/limits.ts";
import { reaches } from "../../executors/ssh/ssh-host.ts";
import { runModes } from "../../run-options.ts";
import { javascriptEngines } from "../../sandbox/engine.ts";
import { scriptLanguages } from "../../script-language.ts";
import { audiences } from "../../tokens/execution-tokens.ts";

// What the control API takes and answers, as JSON Schema: checked before a handler runs, and written into its OpenAPI document. What a value
// means (a legal name, a limit in range) is checked once, where it is used.

const json = { description: "Any JSON value, kept as received." } as const;
const time = { type: "string", format: "date-time" } as const;
const id = { type: "string", minLength: 1, maxLength: 64 } as const;
const count = { type: "integer", minimum: 0 } as const;
const statuses = ["created", "running", "succeeded", "failed", "timed-out", "cancelled", "lost"] as const;

const limits = {
	type: "object",
	description: "Limits of this run by name (`cronium limits`); the host's where not given.",
	properties: Object.fromEntries(
		Object.entries(limitDefinitions)
			.filter(([, { scope }]) => scope === "run")
			.map(([name, { description, unit }]) => [name, { type: "integer", description: `${description} In ${unit}.` }]),
	),
	additionalProperties: false,
} as const;

const scopeList = { type: "array", items: { type: "string", enum: scopes }, uniqueItems: true } as const;

const event = {
	type: "object",
	description: "The event that the run belongs to, as `getEventContext` answers it.",
	additionalProperties: true,
} as const;

export const runRequest = {
	type: "object",
	properties: {
		mode: {
			type: "string",
			enum: [...runModes, "external"],
			description:
				"Where the script runs: the sandbox, or, when that does not run its language, a container, if nothing is said; `ssh`: the SSH host that `host` names. `external`: somebody else starts it and gives it a token; it reaches the helpers over HTTP.",
		},
		script: {
			description: "What to run: a script, or a bundle that was uploaded.",
			oneOf: [
				{
					type: "object",
					properties: {
						name: { type: "string", examples: ["orders.ts"] },
						source: { type: "string", description: "JavaScript and TypeScript: one ES module, its imports bundled into it." },
						language: {
							type: "string",
							enum: scriptLanguages,
							description: "That of the name's extension, or of a first line `#!`, if nothing is said.",
						},
						sourceMap: { type: "string" },
					},
					required: ["name", "source"],
					additionalProperties: false,
				},
				{
					type: "object",
					properties: { bundle: { type: "string", description: "The id of a bundle." } },
					required: ["bundle"],
					additionalProperties: false,
				},
			],
		},
		image: {
			type: "string",
			minLength: 1,
			maxLength: 512,
			description: "The image of a container; that of the script's language if nothing is said.",
		},
		host: { type: "string", minLength: 1, maxLength: 255, description: "The SSH host, by its name in hosts.toml." },
		reach: {
			type: "string",
			enum: ["auto", ...reaches],
			description: "How a script on an SSH host reaches its helpers; as the host's entry says if nothing is said.",
		},
		arguments: {
			type: "array",
			items: { type: "string" },
			description: "What a script in Python, in a container or on an SSH host is called with.",
		},
		files: {
			type: "object",
			description:
				"Files that a script in Python, in a container or on an SSH host finds beside itself, by their paths relative to it: a text, or bytes in base64. In the sandbox Python imports from wheels among them (`.whl`).",
			// Not `oneOf`, whose first complaint is about the text that was not meant.
			additionalProperties: {
				type: ["string", "object"],
				properties: { base64: { type: "string", pattern: "^[A-Za-z0-9+/]*={0,2}$" } },
				required: ["base64"],
				additionalProperties: false,
			},
		},
		input: json,
		event,
		namespace: { type: "string", default: "default", description: "The owner of the run's variables." },
		variables: { type: "object", additionalProperties: json, description: "Written before the script starts." },
		scopes: {
			...scopeList,
			description: "What the run may do; when not given everything, and on an SSH host what its entry says, or the least.",
		},
		limits,
		allowedHosts: { type: "array", items: { type: "string" }, description: "Hosts that `fetch` may reach." },
		engine: { type: "string", enum: javascriptEngines, description: "The engine of JavaScript and TypeScript in the sandbox." },
		attempt: { type: "integer", minimum: 1 },
		traceparent: { type: "string" },
	},
	additionalProperties: false,
} as const;

export const run = {
	type: "object",
	properties: {
		id,
		namespace: { type: "string" },
		mode: { type: "string", enum: ["sandbox", "container", "ssh", "external"] },
		status: { type: "string", enum: statuses },
		attempt: { type: "integer" },
		scopes: scopeList,
		event,
		engine: { type: "string" },
		host: { type: "string", description: "The SSH host that it runs on." },
		script: {
			type: "object",
			properties: { name: { type: "string" }, sha256: { type: "string" }, bytes: count },
			required: ["name", "sha256", "bytes"],
		},
		allowedHosts: { type: "array", items: { type: "string" } },
		limits: { type: "object", additionalProperties: { type: "integer" } },
		traceparent: { type: "string" },
		createdAt: time,
		startedAt: time,
		deadlineAt: time,
		endedAt: time,
		exitCode: { type: "integer" },
		usage: { type: "object", additionalProperties: { type: "number" } },
		error: {
			type: "object",
			properties: { code: { type: "string" }, message: { type: "string" } },
			required: ["code", "message"],
		},
	},
	required: ["id", "namespace", "mode", "status", "attempt", "scopes", "event", "allowedHosts", "limits", "createdAt"],
} as const;

export const runPage = {
	type: "object",
	properties: {
		runs: { type: "array", items: run },
		next: { ...id, description: "`before` of the next page; absent on the last." },
	},
	required: ["runs"],
} as const;

export const runQuery = {
	type: "object",
	properties: {
		namespace: { type: "string" },
		status: { type: "string", enum: statuses },
		limit: { type: "integer", minimum: 1, maximum: 1_000, default: 50 },
		before: id,
	},
	additionalProperties: false,
} as const;

const logLine = {
	type: "object",
	properties: {
		sequence: { type: "integer", minimum: 1 },
		at: time,
		level: { type: "string", enum: ["debug", "info", "warn", "error"] },
		source: { type: "string", enum: ["log", "stdout", "stderr", "system"] },
		message: { type: "string" },
		fields: { type: "object", additionalProperties: true },
	},
	required: ["sequence", "at", "level", "source", "message"],
} as const;

export const logPage = {
	type: "object",
	properties: { lines: { type: "array", items: logLine } },
	required: ["lines"],
} as const;

export const outcome = {
	type: "object",
	properties: {
		executionId: id,
		status: { type: "string", enum: statuses.slice(2) },
		exitCode: { type: "integer" },
		output: json,
		condition: { type: ["boolean", "null"] },
		logs: { type: "array", items: logLine },
		usage: { type: "object", additionalProperties: { type: "number" } },
		error: run.properties.error,
	},
	required: ["executionId", "status", "exitCode", "condition", "logs", "usage"],
} as const;

export const report = {
	type: "object",
	properties: {
		status: { type: "string", enum: ["succeeded", "failed"] },
		message: { type: "string", maxLength: 8_192, description: "Why it failed." },
		output: { ...json, description: "Counts as the last call of setOutput." },
	},
	required: ["status"],
	additionalProperties: false,
} as const;

export const journal = {
	type: "object",
	properties: {
		entries: {
			type: "array",
			items: {
				type: "object",
				properties: { sequence: { type: "integer", minimum: 1 }, operation: { type: "string" }, at: time },
				required: ["sequence", "operation", "at"],
				additionalProperties: true,
			},
		},
	},
	required: ["entries"],
} as const;

export const tokenRequest = {
	type: "object",
	properties: {
		audience: { type: "string", enum: audiences, default: "bridge", description: "The door that it is for." },
		scopes: { ...scopeList, description: "Of the run's scopes; all of them when not given." },
		lifetimeMs: {
			type: "integer",
			minimum: 1_000,
			maximum: limitDefinitions.tokenLifetimeMs.maximum,
			description: "The host's `tokenLifetimeMs` when not given; never longer than the run.",
		},
		certificateThumbprint: {
			type: "string",
			pattern: "^[A-Za-z0-9_-]{43}$",
			description: "SHA-256 of the client certificate that it is bound to, base64url (RFC 8705).",
		},
	},
	additionalProperties: false,
} as const;

export const issuedToken = {
	type: "object",
	properties: { id: { type: "string" }, token: { type: "string" }, expiresAt: time },
	required: ["id", "token", "expiresAt"],
} as const;

const pem = {
	type: "object",
	properties: { certificate: { type: "string" }, key: { type: "string" } },
	required: ["certificate", "key"],
} as const;

export const sidecarCredentials = {
	type: "object",
	description: "What `cronium sidecar` reads: a secret.",
	properties: {
		version: { type: "integer" },
		run: id,
		deadlineAt: { type: "integer", description: "In milliseconds since the Unix epoch." },
		address: { type: "string", description: "Where the process reaches the host." },
		trusted: { type: "string", description: "Certificates of the authorities (PEM)." },
		sidecar: pem,
		door: pem,
		client: { ...pem, properties: { ...pem.properties, token: { type: "string" } }, required: [...pem.required, "token"] },
		limits: { type: "object", additionalProperties: { type: "integer" } },
	},
	required: ["version", "run", "deadlineAt", "address", "trusted", "sidecar", "door", "client", "limits"],
} as const;

export const revoked = { type: "object", properties: { revoked: count }, required: ["revoked"] } as const;

export const bundleHead = {
	type: "object",
	properties: { id: { type: "string", pattern: "^sha256:[0-9a-f]{64}$" }, size: count, createdAt: time },
	required: ["id", "size", "createdAt"],
} as const;

export const bundleRequest = {
	type: "object",
	description: "What `cronium bundle` prints.",
	properties: {
		name: { type: "string" },
		source: { type: "string" },
		language: { type: "string", enum: ["javascript", "typescript"] },
		sourceMap: { type: "string" },
	},
	required: ["name", "source"],
	additionalProperties: false,
} as const;

export const bundleList = {
	type: "object",
	properties: { bundles: { type: "array", items: bundleHead } },
	required: ["bundles"],
} as const;

export const waitQuery = {
	type: "object",
	properties: {
		waitMs: { ...count, maximum: 60_000, default: 0, description: "How long to wait for the end, in milliseconds." },
	},
	additionalProperties: false,
} as const;

export const logQuery = {
	type: "object",
	properties: { after: { ...count, default: 0, description: "Only lines behind this sequence." } },
	additionalProperties: false,
} as const;

export const journalQuery = {
	type: "object",
	properties: { after: { ...count, default: 0 }, limit: { type: "integer", minimum: 1, maximum: 10_000, default: 1_000 } },
	additionalProperties: false,
} as const;

export const runParameters = { type: "object", properties: { id }, required: ["id"] } as const;

export const problem = {
	description: "Problem details (RFC 9457) with the code of the contract's error.",
	type: "object",
	properties: {
		type: { type: "string" },
		title: { type: "string" },
		status: { type: "integer" },
		detail: { type: "string" },
		code: { type: "string", enum: errorCodes },
		instance: { type: "string" },
		limit: {
			type: "object",
			properties: { name: { type: "string" }, value: { type: "number" }, unit: { type: "string" } },
			required: ["name", "value", "unit"],
		},
		currentVersion: { type: "string" },
		retryAfterMs: count,
	},
	required: ["type", "title", "status", "detail", "code"],
} as const;
