import { describe, expect, test } from "vitest";
import { RuntimeError } from "../../host/contract/errors.ts";
import { layout } from "../../host/layout.ts";
import { createMemoryStore } from "../../host/store/memory-store.ts";
import type { Store } from "../../host/store/store.ts";
import { failureOf, type RunSetup, startRun, type TestRun } from "../helpers/run.ts";
import { createRandom, UnrulyStore } from "../helpers/unruly-store.ts";
import { hostId } from "./chains.ts";

const auditedStore = (): Store => createMemoryStore({ audit: { hostId: hostId("a"), key: Buffer.alloc(32) } });
const startAudited = (setup: RunSetup = {}): Promise<TestRun> => startRun({ store: auditedStore(), audit: true, ...setup });

type Entry = Readonly<Record<string, unknown>>;
const entries = async (store: Store): Promise<Entry[]> =>
	(await store.list({ prefix: layout.audit, limit: 10_000 })).slice(1).map(({ value }) => JSON.parse(value).entry);
const run1 = { execution: "run-1", namespace: "tests" };

describe("the audit log of a run", () => {
	test("has every call with effect, with the name of what it changed and its place in the journal, and no reads", async () => {
		const run = await startAudited();
		const { variables, condition, io } = run.helpers;
		await variables.set("a/b", '"value"', undefined, run.call());
		await variables.get("a/b", run.call());
		await variables.increment("n", 2, run.call());
		await variables.delete("a/b", undefined, run.call());
		await condition.set(true, run.call());
		await io.setOutput("1", run.call());
		await run.end("2");
		const effect = (operation: string, sequence: number, key?: string) => ({
			type: "effect",
			...run1,
			operation,
			...(key !== undefined && { key }),
			sequence,
		});
		expect(await entries(run.store)).toEqual([
			effect("variables.set", 1, "a/b"),
			effect("variables.increment", 3, "n"),
			effect("variables.delete", 4, "a/b"),
			effect("condition.set", 5),
			effect("io.set-output", 6),
			effect("io.set-output", 7),
		]);
	});

	test("has no calls that took no effect: refused, failed, repeated, after the end", async () => {
		const run = await startAudited();
		const { variables } = run.helpers;
		await variables.set("k", '"text"', undefined, run.call("once"));
		await variables.set("k", '"text"', undefined, run.call("once"));
		await failureOf(() => variables.set("k", "1", { ifAbsent: true }, run.call()));
		await failureOf(() => variables.increment("k", 1, run.call()));
		await failureOf(() => variables.set("", "1", undefined, run.call()));
		await variables.delete("none", undefined, run.call());
		await run.end();
		await failureOf(() => variables.set("late", "1", undefined, run.call()));
		expect(await entries(run.store)).toMatchObject([{ operation: "variables.set", key: "k", sequence: 1 }]);
	});

	test("has the denials of a run, which wait for its next effect", async () => {
		const run = await startAudited({ scopes: ["variables:read", "condition:write"] });
		const { variables, condition, io } = run.helpers;
		await failureOf(() => variables.set("k", '"secret"', undefined, run.call()));
		await failureOf(() => io.getInput(run.call()));
		expect(await entries(run.store)).toEqual([]);
		await condition.set(true, run.call());
		await run.end('"secret"');
		expect(await entries(run.store)).toEqual([
			{ type: "denied", ...run1, operation: "variables.set", scope: "variables:write", sequence: 1 },
			{ type: "denied", ...run1, operation: "io.get-input", scope: "input:read", sequence: 2 },
			{ type: "effect", ...run1, operation: "condition.set", sequence: 3 },
			{ type: "denied", ...run1, operation: "io.set-output", scope: "output:write", sequence: 4 },
		]);
	});

	test("counts the denials over a hundred in one entry", async () => {
		const run = await startAudited({ scopes: [] });
		for (let call = 0; call < 1_234; call++) await failureOf(() => run.helpers.io.getInput(run.call()));
		await run.end();
		const all = await entries(run.store);
		expect(all).toHaveLength(101);
		expect(all.at(-1)).toEqual({ type: "denied", ...run1, count: 1_134 });
	});

	test("has requests to other hosts, by origin alone, and does not let them pile up in a run that does nothing else", async () => {
		const run = await startAudited();
		for (let request = 1; request <= 500; request++) {
			run.record("sandbox.fetch", { url: `https://api.test/secret?token=secret`, method: "GET" }, { status: 200 });
			await new Promise((resolve) => setImmediate(resolve));
		}
		expect((await entries(run.store)).length).toBeGreaterThanOrEqual(384);
		const error = new RuntimeError("denied", "The host is not allowed.");
		run.record("sandbox.fetch", { url: "http://user:secret@10.0.0.1:8080/x", method: "POST" }, { error });
		run.record("sandbox.fetch", { url: "secret", method: "POST" }, { error });
		await run.end();
		const all = await entries(run.store);
		expect(all).toHaveLength(502);
		expect(all[0]).toEqual({ type: "effect", ...run1, operation: "sandbox.fetch", origin: "https://api.test", sequence: 1 });
		expect(all.slice(-2)).toEqual([
			{ type: "denied", ...run1, operation: "sandbox.fetch", origin: "http://10.0.0.1:8080", sequence: 501 },
			{ type: "denied", ...run1, operation: "sandbox.fetch", sequence: 502 },
		]);
		expect(JSON.stringify(all)).not.toContain("secret");
	});

	test("counts requests that nobody could write down", async () => {
		const run = await startAudited();
		for (let request = 0; request < 1_000; request++)
			run.record("sandbox.fetch", { url: "https://api.test/", method: "GET" }, { status: 200 });
		await run.end();
		const all = await entries(run.store);
		expect(all.length).toBeLessThan(400);
		expect(all.reduce((sum, { count = 1 }) => sum + (count as number), 0)).toBe(1_000);
	});

	test.each([1, 2, 3])("has each effect once, whatever the network does to its transactions (seed %d)", async (seed) => {
		const store = auditedStore();
		const unruly = new UnrulyStore(store, createRandom(seed));
		unruly.unavailable = 0.2;
		const run = await startAudited({ store, throughStore: unruly, scopes: ["variables:write", "log:write"] });
		const calls: Promise<string>[] = [];
		for (let number = 0; number < 60; number++) {
			if (number % 5 === 0) await failureOf(() => run.helpers.io.getInput(run.call()));
			calls.push(
				Promise.resolve(run.helpers.variables.set(`k${number}`, "1", undefined, run.call())).then(
					() => `k${number}`,
					() => "",
				),
			);
		}
		const settled = Promise.all(calls);
		const pump = setInterval(() => {
			for (let step = 0; step < 20; step++) unruly.step();
		});
		const done = (await settled).filter((key) => key !== "");
		const ended = run.end();
		await ended;
		clearInterval(pump);
		const all = await entries(store);
		expect(all.filter(({ type }) => type === "effect").map(({ key }) => key)).toEqual(done);
		expect(all.filter(({ type }) => type === "denied")).toHaveLength(12);
	});

	test("is not kept for a run that has none", async () => {
		const run = await startRun({ store: auditedStore() });
		await run.helpers.variables.set("k", "1", undefined, run.call());
		await run.end();
		expect(await run.store.list({ prefix: layout.audit, limit: 10 })).toEqual([]);
	});
});
