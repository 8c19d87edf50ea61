import { describe, expect, test } from "vitest";
import { scopes } from "../../host/contract/generated/types.ts";
import { limitDefinitions, resolveLimits } from "../../host/contract/limits.ts";
import type { Execution } from "../../host/execution.ts";
import { Executions } from "../../host/executions.ts";
import { createHelpers } from "../../host/helpers/helpers.ts";
import { layout } from "../../host/layout.ts";
import { createMemoryStore } from "../../host/store/memory-store.ts";
import type { Store, StoreOperation } from "../../host/store/store.ts";
import { audit, type Promised } from "./audit.ts";

const id = "0193a000-0000-7000-8000-000000000001";
const promised: Promised = { id, namespace: "soak", series: "series", acknowledged: 3, writes: 3, status: "succeeded" };

/** A store with one run that has ended well: series 1, 2, 3 and a counter of 5. */
async function createAuditedStore(): Promise<Store> {
	const store = createMemoryStore();
	const executions = new Executions(store);
	const execution: Execution = {
		id,
		namespace: "soak",
		hostId: "host",
		event: {},
		mode: "sandbox",
		attempt: 1,
		scopes,
		limits: resolveLimits(),
		allowedHosts: [],
		startedAt: 1,
		deadlineAt: limitDefinitions.maxWallTimeMs.default,
		signal: new AbortController().signal,
	};
	const { signal: _, ...fixed } = execution;
	const record = { ...fixed, status: "running", script: { name: "soak.js", sha256: "", bytes: 1 }, createdAt: 1 } as const;
	await executions.create(record, undefined, []);
	const bound = createHelpers(execution, { store, input: undefined, onLog: () => undefined });
	for (let n = 1; n <= 3; n++) await bound.helpers.variables.set("series", String(n), undefined, { callId: `set-${n}` });
	await bound.helpers.variables.increment("count", 5, { callId: "increment" });
	const { operations } = await bound.settle();
	const usage = { wallTimeMs: 1, cpuTimeMs: 1, memoryBytes: 1, hostCalls: 4, logBytes: 0 };
	await executions.end(record, { status: "succeeded", usage, startedAt: 1, deadlineAt: 2, operations });
	return store;
}

/** The problems that the audit finds after `operations`. */
async function auditAfter(
	operations: readonly StoreOperation[],
	runs: readonly Promised[] = [promised],
): Promise<readonly string[]> {
	const store = await createAuditedStore();
	if (operations.length > 0) await store.commit({ operations });
	const { problems } = await audit(store, runs, { counter: "count", others: false });
	return problems;
}

describe("the audit of a soak", () => {
	test("finds nothing in a store that has what was promised", async () => {
		expect(await auditAfter([])).toEqual([]);
	});

	test("counts what it has looked at", async () => {
		const store = await createAuditedStore();
		const { totals } = await audit(store, [promised], { counter: "count", others: false });
		expect(totals).toEqual({ runs: 1, journalEntries: 4, effects: 4 });
	});

	test("notices an acknowledged write that is lost", async () => {
		const problems = await auditAfter([{ type: "delete", key: layout.variable("soak", "series") }]);
		expect(problems[0]).toContain("series = 3 was acknowledged, the store has nothing");
	});

	test("notices an older value than the acknowledged one", async () => {
		const problems = await auditAfter([{ type: "set", key: layout.variable("soak", "series"), value: "2", author: id }]);
		expect(problems[0]).toContain("series = 3 was acknowledged, the store has 2");
	});

	test("notices a value that no journal entry accounts for", async () => {
		const problems = await auditAfter([{ type: "set", key: layout.variable("soak", "series"), value: "3", author: id }]);
		expect(problems).toEqual([expect.stringMatching(/series is 3 .* in the store, 3 .* in the journal/)]);
	});

	test("notices a counter that is not the sum of the journals", async () => {
		const problems = await auditAfter([{ type: "increment", key: layout.variable("soak", "count"), by: 1 }]);
		expect(problems).toEqual(["count in soak is 6; the journals add up to 5"]);
	});

	test("notices a gap in a journal", async () => {
		const store = await createAuditedStore();
		const segments = await store.list({ prefix: layout.journal(id), limit: 10 });
		await store.commit({ operations: [{ type: "delete", key: layout.journalSegment(id, segments[1]?.key.at(-1) as number) }] });
		const found = audit(store, [promised], { counter: "count", others: false }).then(
			({ problems }) => problems.join("\n"),
			(error: Error) => error.message,
		);
		expect(await found).toMatch(/gap in its journal|journal .* damaged/);
	});

	test("notices a run without a final status, and one that may still have effects", async () => {
		const store = await createAuditedStore();
		const record = JSON.parse((await store.get(layout.execution(id)))?.value ?? "");
		const { endedAt: _, ...running } = { ...record, status: "running" };
		const problems = await auditAfter([
			{ type: "set", key: layout.execution(id), value: JSON.stringify(running) },
			{ type: "set", key: layout.live("host", id), value: "" },
		]);
		expect(problems).toEqual([
			expect.stringContaining("has no final status"),
			expect.stringContaining("was reported as succeeded"),
			`run ${id} may still have effects`,
		]);
	});

	test("notices a run that is missing, one that nobody was told of, and one that was reported twice", async () => {
		const other = { ...promised, id: "0193a000-0000-7000-8000-000000000002" };
		expect(await auditAfter([], [promised, other])).toContain(`run ${other.id} is not in the store`);
		expect(await auditAfter([], [])).toContain(`run ${id} is in the store, but nobody was told of it`);
		expect(await auditAfter([], [promised, promised])).toContain(`two runs have the id ${id}`);
	});
});
