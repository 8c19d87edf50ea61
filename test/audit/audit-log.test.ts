import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { AuditLog } from "../../host/audit.ts";
import { RuntimeError } from "../../host/contract/errors.ts";
import { layout } from "../../host/layout.ts";
import { createMemoryStore } from "../../host/store/memory-store.ts";
import type { Store } from "../../host/store/store.ts";
import { hostId } from "./chains.ts";

const windowMs = 60_000;
let store: Store;
let log: AuditLog;
beforeEach(() => {
	vi.useFakeTimers();
	store = createMemoryStore({ audit: { hostId: hostId("a"), key: Buffer.alloc(32) } });
	log = new AuditLog(store);
});
afterEach(() => vi.useRealTimers());

const entries = async (): Promise<Record<string, unknown>[]> =>
	(await store.list({ prefix: layout.audit, limit: 10_000 })).slice(1).map(({ value }) => JSON.parse(value).entry);

describe("a control action", () => {
	test("is in the log when record resolves, with the names that were given", async () => {
		await log.record({ action: "executions.start", actor: "ci", namespace: "billing", execution: "run-1" });
		await log.record({ action: "variables.set", actor: "ci", key: "ä/b" });
		expect(await entries()).toEqual([
			{ type: "control", action: "executions.start", actor: "ci", namespace: "billing", execution: "run-1" },
			{ type: "control", action: "variables.set", actor: "ci", key: "ä/b" },
		]);
	});

	test("is cut when its names are long, whatever is in them", async () => {
		for (const long of ["x".repeat(5_000), "\u0000".repeat(5_000), "\u{1F600}".repeat(3_000), "\ud800"])
			await log.record({ action: long, actor: long, namespace: long, execution: long, key: long });
		for (const entry of await entries()) expect(String(entry.actor).length).toBeLessThanOrEqual(255);
		expect(await entries()).toHaveLength(4);
	});

	test("that cannot be written is refused", async () => {
		await store.close();
		await expect(log.record({ action: "x", actor: "y" })).rejects.toMatchObject({ code: "unavailable" });
	});
});

describe("authentication failures", () => {
	test("of one door and reason are one entry a minute, with their number and three addresses", async () => {
		for (let index = 0; index < 10_000; index++)
			log.authenticationFailure({ door: "control", reason: "expired", address: `10.0.${index % 256}.1` });
		await vi.advanceTimersByTimeAsync(windowMs - 1);
		expect(await entries()).toEqual([
			{ type: "authentication-failure", door: "control", reason: "expired", count: 1, addresses: ["10.0.0.1"] },
		]);
		await vi.advanceTimersByTimeAsync(1);
		expect((await entries()).slice(1)).toEqual([
			{
				type: "authentication-failure",
				door: "control",
				reason: "expired",
				count: 9_999,
				addresses: ["10.0.1.1", "10.0.2.1", "10.0.3.1"],
			},
		]);
		for (let minute = 0; minute < 5; minute++) {
			for (let index = 0; index < 1_000; index++) log.authenticationFailure({ door: "control", reason: "expired" });
			await vi.advanceTimersByTimeAsync(windowMs);
		}
		const all = await entries();
		expect(all.length).toBeLessThanOrEqual(2 + 5);
		await log[Symbol.asyncDispose]();
		expect((await entries()).reduce((sum, { count }) => sum + (count as number), 0)).toBe(15_000);
	});

	test("of doors and reasons that are made up fill neither the log nor the memory, and all are counted", async () => {
		for (let index = 0; index < 20_000; index++)
			log.authenticationFailure({ door: `door-${index}`, reason: "x".repeat(10_000), address: "y".repeat(10_000) });
		await log[Symbol.asyncDispose]();
		const all = await entries();
		expect(all.length).toBeLessThanOrEqual(66);
		expect(all.reduce((sum, { count }) => sum + (count as number), 0)).toBe(20_000);
		for (const { reason } of all) expect(String(reason).length).toBeLessThanOrEqual(255);
	});

	test("are all written when the log is disposed of, and those that come later are not taken", async () => {
		for (let index = 0; index < 5; index++) log.authenticationFailure({ door: "bridge", reason: "revoked" });
		await log[Symbol.asyncDispose]();
		expect((await entries()).map(({ count }) => count)).toEqual([1, 4]);
		log.authenticationFailure({ door: "bridge", reason: "revoked" });
		expect(await entries()).toHaveLength(2);
		expect(vi.getTimerCount()).toBe(0);
	});

	test("that cannot be written now are written with the next", async () => {
		const commit = store.commit;
		store.commit = () => Promise.reject(new RuntimeError("unavailable", "The store is full."));
		for (let index = 0; index < 7; index++) log.authenticationFailure({ door: "control", reason: "expired" });
		await vi.advanceTimersByTimeAsync(windowMs);
		store.commit = commit;
		await vi.advanceTimersByTimeAsync(windowMs);
		expect((await entries()).map(({ count }) => count)).toEqual([7]);
		await log[Symbol.asyncDispose]();
	});

	test("leave no timer when there are no more of them", async () => {
		log.authenticationFailure({ door: "control", reason: "expired" });
		await vi.advanceTimersByTimeAsync(windowMs);
		expect(vi.getTimerCount()).toBe(0);
	});
});
