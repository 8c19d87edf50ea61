import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Store, StoreAccount, StoreKey, StoreOperation, StoreTransaction } from "../../host/store/store.ts";
import type { OpenStore, StoreFactory } from "./store-conformance.ts";

const MiB = 1024 * 1024;

/** What every store promises of the bytes that it counts. */
export function describeAccounts(factory: StoreFactory): void {
	describe("accounts", () => {
		let open: OpenStore;
		let store: Store;
		beforeEach(async () => {
			open = await factory({ maxStoreBytes: 64 * MiB, keptChanges: 300 });
			store = open.store;
		});
		afterEach(() => open.dispose());

		const account = (name: string, maxBytes = 64 * MiB): StoreAccount => ({ key: ["accounts", name], maxBytes });
		const set = (key: StoreKey, value: string, more: { expiresAt?: number; author?: string } = {}): StoreOperation => ({
			type: "set",
			key,
			value,
			...more,
		});
		const stored = async (name = "a"): Promise<number> => Number((await store.get(["accounts", name]))?.value ?? 0);
		const apply = async (operations: StoreOperation[], more: Partial<StoreTransaction> = {}): Promise<number> => {
			const before = await stored();
			const result = await store.commit({ operations, account: account("a"), ...more });
			if (!result.committed) throw new Error(`not committed: ${result.reason}`);
			return (await stored()) - before;
		};

		test("a new entry costs its value, its key and a little more; an empty one is not free", async () => {
			const empty = await apply([set(["k", "x"], "")]);
			expect(empty).toBeGreaterThan(32);
			expect(empty).toBeLessThan(256);
			expect(await apply([set(["k", "y"], "x".repeat(1_000))])).toBe(empty + 1_000);
			expect(await apply([set(["k", "z"], "\u00e4")])).toBe(empty + 2);
			expect(await apply([set(["k", "z".repeat(101)], "")])).toBe(empty + 100);
		});

		test("a value that is replaced costs the difference, also when that is less than nothing", async () => {
			await apply([set(["k"], "x".repeat(500))]);
			expect(await apply([set(["k"], "x".repeat(700))])).toBe(200);
			expect(await apply([set(["k"], "x".repeat(100))])).toBe(-600);
			expect(await apply([set(["k"], "y".repeat(100))])).toBe(0);
			expect(await apply([set(["k"], "1".repeat(10)), { type: "increment", key: ["k"], by: 1 }])).toBe(-90);
		});

		test.each<[string, StoreOperation]>([
			["a deletion", { type: "delete", key: ["k", 1] }],
			["a deletion of a prefix", { type: "delete-prefix", prefix: ["k"] }],
		])("%s gives everything back", async (_, operation) => {
			const cost = await apply([set(["k", 1], "x".repeat(300), { author: "me" })]);
			expect(await apply([operation])).toBe(-cost);
			expect(await stored()).toBe(0);
			expect(await apply([operation])).toBe(0);
		});

		test("an archived value is counted, and given back by whoever deletes it", async () => {
			await apply([set(["k"], "x".repeat(2_000))]);
			const added = await apply([
				{ type: "archive", key: ["k"], to: ["old", "k"], overBytes: 10 },
				set(["k"], "y".repeat(2_000)),
			]);
			expect(added).toBeGreaterThan(2_000);
			expect(await apply([{ type: "delete-prefix", prefix: ["old"] }])).toBe(-added);
			expect(await apply([{ type: "archive", key: ["k"], to: ["old", "k"], overBytes: 5_000 }])).toBe(0);
		});

		test("an expired entry counts until it is deleted or written again", async () => {
			const cost = await apply([set(["k"], "x".repeat(300), { expiresAt: Date.now() - 1 })]);
			expect(await store.get(["k"])).toBeUndefined();
			expect(await stored()).toBe(cost);
			expect(await apply([set(["k"], "x".repeat(400), { expiresAt: Date.now() - 1 })])).toBe(100);
			expect(await apply([{ type: "increment", key: ["k"], by: 1 }])).toBe(-399);
			expect(await apply([{ type: "delete", key: ["k"] }])).toBe(-(cost - 299));
			expect(await stored()).toBe(0);
		});

		test("what would end above the limit is not applied, and says what there is and what it would add", async () => {
			const limited = account("a", 2_000);
			await apply([set(["k", 0], "x".repeat(500))]);
			const before = await stored();
			const entries = await store.list({ prefix: [], limit: 100 });
			const result = await store.commit({
				operations: [
					{ type: "increment", key: ["n"], by: 1 },
					{ type: "archive", key: ["k", 0], to: ["old"], overBytes: 0 },
					{ type: "delete", key: ["k", 0] },
					set(["k", 1], "x".repeat(3_000), { expiresAt: Date.now() + 60_000 }),
				],
				account: limited,
			});
			expect(result).toEqual({ committed: false, reason: "account", storedBytes: before, addedBytes: expect.any(Number) });
			expect((result as { addedBytes: number }).addedBytes).toBeGreaterThan(3_000);
			expect(await store.list({ prefix: [], limit: 100 })).toEqual(entries);
			expect(await store.expired(10)).toEqual([]);
		});

		/** What an empty entry costs, in an account of its own. */
		async function costOfOne(key: StoreKey): Promise<number> {
			await store.commit({ operations: [set(key, "")], account: account("probe") });
			const cost = await stored("probe");
			await store.commit({ operations: [{ type: "delete", key }], account: account("probe") });
			return cost;
		}

		test("the limit is met to the byte", async () => {
			const cost = await costOfOne(["k"]);
			const refused = await store.commit({ operations: [set(["k"], "")], account: account("a", cost - 1) });
			expect(refused).toEqual({ committed: false, reason: "account", storedBytes: 0, addedBytes: cost });
			expect(await store.commit({ operations: [set(["k"], "")], account: account("a", cost) })).toMatchObject({
				committed: true,
			});
		});

		test("over the limit what adds nothing is applied: deletions, smaller values, and changes of other accounts", async () => {
			await apply([set(["k"], "x".repeat(3_000))]);
			const full = account("a", 1_000);
			expect(await store.commit({ operations: [set(["l"], "")], account: full })).toMatchObject({ reason: "account" });
			expect(await store.commit({ operations: [set(["k"], "x".repeat(2_500))], account: full })).toMatchObject({
				committed: true,
			});
			expect(await store.commit({ operations: [set(["k"], "y".repeat(2_500))], account: full })).toMatchObject({
				committed: true,
			});
			expect(await store.commit({ operations: [set(["other"], "1")], account: account("b", 1_000) })).toMatchObject({
				committed: true,
			});
			expect(await store.commit({ operations: [set(["nobody's"], "1")] })).toMatchObject({ committed: true });
			expect(await store.commit({ operations: [{ type: "delete", key: ["k"] }], account: full })).toMatchObject({
				committed: true,
			});
			expect(await stored()).toBe(0);
		});

		test("what is marked for the reserve is applied and counted", async () => {
			expect(await apply([set(["status"], "x".repeat(500))], { account: account("a", 0), reserve: true })).toBeGreaterThan(500);
		});

		test("a refused check changes no account, and comes before it", async () => {
			expect(
				await store.commit({
					checks: [{ key: ["k"], is: "present" }],
					operations: [set(["k"], "x".repeat(100))],
					account: account("a", 0),
				}),
			).toEqual({ committed: false, reason: "check", index: 0 });
			expect(await stored()).toBe(0);
		});

		test("of transactions that are posted at one time as many are applied as fit", async () => {
			const cost = (await costOfOne(["k", 0])) + 100;
			const results = await Promise.all(
				Array.from({ length: 40 }, (_, index) =>
					store.commit({ operations: [set(["k", index], "x".repeat(100))], account: account("a", 25 * cost) }),
				),
			);
			expect(results.map(({ committed }) => committed)).toEqual(Array.from({ length: 40 }, (_, index) => index < 25));
			expect(await stored()).toBe(25 * cost);
			expect(await store.list({ prefix: ["k"], limit: 100 })).toHaveLength(25);
		});

		test("after many random transactions the number is what all entries cost together", async () => {
			const random = createRandom(7);
			const pick = (count: number): number => Math.floor(random() * count);
			for (let round = 0; round < 300; round++) {
				const key: StoreKey = ["k", pick(3), "x".repeat(pick(4))];
				const operations: StoreOperation[] = [
					{ type: "archive", key, to: ["k", "old"], overBytes: 200 },
					[
						set(key, "1".repeat(1 + pick(400)), random() < 0.3 ? { expiresAt: Date.now() - 1, author: "me" } : {}),
						{ type: "increment", key, by: 1 } as const,
						{ type: "delete", key } as const,
						{ type: "delete-prefix", prefix: ["k", pick(3)] } as const,
					][pick(4)] as StoreOperation,
				];
				await store.commit({ operations, account: account("a", 3_000) });
			}
			const total = await stored();
			expect(total).toBeGreaterThan(0);
			expect(await apply([{ type: "delete-prefix", prefix: ["k"] }])).toBe(-total);
		});

		test.each([-1, 0.5, Number.NaN, 2 ** 53])("a limit of %d is refused", async (maxBytes) => {
			await expect(store.commit({ operations: [set(["k"], "")], account: account("a", maxBytes) })).rejects.toMatchObject({
				code: "invalid",
				message: expect.stringContaining("maxBytes"),
			});
		});
	});
}

/** mulberry32: the same numbers for the same seed. */
function createRandom(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}
