import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type LmdbStore, openLmdbStore } from "../../host/store/lmdb-store.ts";
import { temporaryDirectory } from "./directory.ts";

const maxStoreBytes = 64 * 1024 * 1024;

describe("the writer", () => {
	let directory: ReturnType<typeof temporaryDirectory>;
	let store: LmdbStore;

	beforeEach(async () => {
		directory = temporaryDirectory();
		store = await openLmdbStore({ directory: directory.path, maxStoreBytes });
	});
	afterEach(async () => {
		await store.close();
		directory.remove();
	});

	test("answers everybody, and goes on, when it stumbles over a message", async () => {
		const { port } = store.connect();
		for (let round = 0; round < 20; round++) {
			// Too short to be a transaction. Now and then it is in one group with the commit that follows.
			port.postMessage("x");
			const result = await store.commit({ operations: [{ type: "set", key: ["a"], value: String(round) }] }).then(
				({ committed }) => committed,
				({ code }) => code,
			);
			expect([true, "internal"]).toContain(result);
		}
		expect(await store.commit({ operations: [{ type: "set", key: ["a"], value: '"last"' }] })).toMatchObject({ committed: true });
		expect((await store.get(["a"]))?.value).toBe('"last"');
		port.close();
	});
});

test("any number of stores in a process need one listener for its exit", async () => {
	const directories = [1, 2, 3, 4].map(temporaryDirectory);
	const before = process.listenerCount("exit");
	const stores = await Promise.all(directories.map(({ path }) => openLmdbStore({ directory: path, maxStoreBytes })));
	expect(process.listenerCount("exit")).toBe(before + 1);
	await Promise.all(stores.map((store) => store.close()));
	expect(process.listenerCount("exit")).toBe(before);
	for (const directory of directories) directory.remove();
});
