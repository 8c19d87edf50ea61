import { RuntimeError } from "../../host/contract/errors.ts";
import { type CallContext, type Scope, scopes } from "../../host/contract/generated/types.ts";
import { type LimitName, resolveLimits } from "../../host/contract/limits.ts";
import type { Execution, LogLine } from "../../host/execution.ts";
import { openRun } from "../../host/executions.ts";
import { type BoundHelpers, createHelpers, type Remainder } from "../../host/helpers/helpers.ts";
import { layout } from "../../host/layout.ts";
import { createMemoryStore } from "../../host/store/memory-store.ts";
import type { Store } from "../../host/store/store.ts";

export interface RunSetup {
	readonly id?: string;
	readonly namespace?: string;
	readonly store?: Store;
	/** What the helpers use, when it is not the store itself. */
	readonly throughStore?: Store;
	readonly limits?: Partial<Record<LimitName, number>>;
	readonly scopes?: readonly Scope[];
	readonly input?: string;
	readonly event?: Execution["event"];
	/** The run is not in the store yet: its first commit is to write it. */
	readonly unopened?: boolean;
	/** Its effects and denials go into the audit log, which the store has to keep. */
	readonly audit?: boolean;
}

/** A live run on a memory store, with what a test wants to see of it. */
export interface TestRun extends BoundHelpers {
	readonly execution: Execution;
	readonly store: Store;
	readonly logs: LogLine[];
	/** A new call context. */
	call(idempotencyKey?: string): CallContext;
	cancel(): void;
	/** Writes the run down as a host does that has waited long enough for the run to do it. */
	open(): Promise<void>;
	/** Ends the run as its host does: settles it and writes the remainder. */
	end(returned?: string): Promise<Remainder>;
	/** Ends the run as a host does that has lost its worker. */
	kill(): Promise<void>;
}

export async function startRun(setup: RunSetup = {}): Promise<TestRun> {
	const store = setup.store ?? createMemoryStore();
	const abort = new AbortController();
	const startedAt = Date.now();
	const execution: Execution = {
		id: setup.id ?? "run-1",
		namespace: setup.namespace ?? "tests",
		hostId: "host-1",
		event: setup.event ?? {},
		mode: "sandbox",
		attempt: 1,
		scopes: setup.scopes ?? scopes,
		limits: resolveLimits(setup.limits),
		allowedHosts: [],
		startedAt,
		deadlineAt: startedAt + 30_000,
		signal: abort.signal,
	};
	const live = layout.live(execution.hostId, execution.id);
	const opening = openRun("create", execution, "{}", setup.input);
	const { account } = opening;
	const open = async (): Promise<void> => {
		await store.commit({ checks: [opening.check], operations: opening.operations, account });
	};
	if (!setup.unopened) await open();
	const logs: LogLine[] = [];
	const bound = createHelpers(execution, {
		store: setup.throughStore ?? store,
		input: setup.input,
		opening: setup.unopened ? opening : undefined,
		audit: setup.audit,
		onLog: (line) => logs.push(line),
	});
	let calls = 0;
	return {
		...bound,
		execution,
		store,
		logs,
		call: (idempotencyKey) => ({ callId: `call-${++calls}`, ...(idempotencyKey !== undefined && { idempotencyKey }) }),
		cancel: () => abort.abort(new RuntimeError("cancelled", "The run was cancelled.")),
		open,
		end: async (returned) => {
			const remainder = await bound.settle(returned);
			if (!remainder.opened) await open();
			await store.commit({
				checks: [{ key: live, is: "present" }],
				operations: [...remainder.operations, { type: "delete", key: live }],
				account,
				...(remainder.audit && { audit: [...remainder.audit.waiting, ...remainder.audit.effects] }),
			});
			return remainder;
		},
		kill: async () => {
			await open();
			await store.commit({ operations: [{ type: "delete", key: live }], account });
		},
	};
}

/** What a call fails with, thrown at once or rejected. */
export async function failureOf(call: () => unknown): Promise<RuntimeError> {
	try {
		const result = await call();
		throw new Error(`The call succeeded with ${JSON.stringify(result)}.`);
	} catch (error) {
		if (!(error instanceof RuntimeError)) throw error;
		return error;
	}
}
