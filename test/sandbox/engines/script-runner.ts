import { randomUUID } from "node:crypto";
import type { Helpers, Json } from "../../../host/contract/generated/types.ts";
import { type LimitName, resolveLimits } from "../../../host/contract/limits.ts";
import type { Execution, LogLine } from "../../../host/execution.ts";
import { createHelpers } from "../../../host/helpers/helpers.ts";
import { layout } from "../../../host/layout.ts";
import type { EngineName, GuestFile, GuestResult, Surroundings } from "../../../host/sandbox/engine.ts";
import { createEngine, type EngineOptions } from "../../../host/sandbox/engines.ts";
import type { GuestEngine } from "../../../host/sandbox/guest-engine.ts";
import { drawSeed } from "../../../host/sandbox/seed.ts";
import { createMemoryStore } from "../../../host/store/memory-store.ts";

export interface RunOptions {
	readonly name?: string;
	readonly input?: Json;
	readonly limits?: Partial<Record<LimitName, number>>;
	readonly signal?: AbortSignal;
	/** 0 go on, 1 cancelled, 2 over the deadline. */
	readonly stop?: Int32Array;
	/** All that there are, when not given. */
	readonly scopes?: Execution["scopes"];
	readonly files?: readonly GuestFile[];
	readonly arguments?: readonly string[];
	readonly fetch?: Surroundings["fetch"];
}

/** Keys that start like this are answered only after `releaseLateAnswers`. */
export const latePrefix = "late/";

const allScopes: Execution["scopes"] = [
	"input:read",
	"output:write",
	"variables:read",
	"variables:write",
	"condition:read",
	"condition:write",
	"context:read",
	"log:write",
];

/** Runs scripts in one engine with the real helpers on a store in memory. */
export interface ScriptRunner extends Disposable {
	readonly engine: GuestEngine;
	/** What the last script printed. */
	readonly printed: string;
	/** What the last script printed to standard error only. */
	readonly errors: string;
	/** What the last script wrote to its log. */
	readonly logs: readonly LogLine[];
	/** Reads of late keys that wait. */
	readonly lateReads: number;
	run(source: string, options?: RunOptions): Promise<GuestResult>;
	releaseLateAnswers(): void;
}

export async function createScriptRunner(name: EngineName, options: EngineOptions = {}): Promise<ScriptRunner> {
	const engine = await createEngine(name, options);
	const store = createMemoryStore();
	const late: (() => void)[] = [];
	let printed = "";
	let errors = "";
	let logs: LogLine[] = [];
	const delayed = (helpers: Helpers): Helpers => ({
		...helpers,
		variables: {
			...helpers.variables,
			get: (key, call) => {
				if (!key.startsWith(latePrefix)) return helpers.variables.get(key, call);
				return new Promise((resolve) => late.push(() => resolve(JSON.stringify(`answer to ${key}`))));
			},
		},
	});
	return {
		engine,
		get printed() {
			return printed;
		},
		get errors() {
			return errors;
		},
		get logs() {
			return logs;
		},
		get lateReads() {
			return late.length;
		},
		async run(
			source,
			{ name: file = "orders.ts", input, limits: overrides = {}, signal, stop, scopes = allScopes, fetch, ...beside } = {},
		) {
			const limits = resolveLimits({ maxWallTimeMs: 20_000, ...overrides });
			const startedAt = Date.now();
			const execution: Execution = {
				id: randomUUID(),
				namespace: "tests",
				hostId: "host",
				event: {},
				mode: "sandbox",
				attempt: 1,
				scopes,
				limits,
				allowedHosts: [],
				startedAt,
				deadlineAt: startedAt + limits.maxWallTimeMs,
				signal: signal ?? new AbortController().signal,
			};
			await store.commit({ operations: [{ type: "set", key: layout.live(execution.hostId, execution.id), value: "" }] });
			const { helpers } = createHelpers(execution, { store, input, onLog: (line) => logs.push(line) });
			[printed, errors, logs] = ["", "", []];
			const print = (source: string, text: string): void => {
				printed += text;
				if (source === "stderr") errors += text;
			};
			return engine
				.run(
					{ name: file, source, ...beside },
					execution,
					delayed(helpers),
					{ seed: drawSeed(), print, ...(fetch && { fetch }) },
					stop ?? new Int32Array(1),
				)
				.finally(() => engine.tidy());
		},
		releaseLateAnswers() {
			for (const release of late.splice(0)) release();
		},
		[Symbol.dispose]() {
			engine[Symbol.dispose]();
		},
	};
}
