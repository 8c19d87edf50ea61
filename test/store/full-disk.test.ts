import { expect, test } from "vitest";
import type { StoreTransaction } from "../../host/store/store.ts";
import { temporaryDirectory } from "./directory.ts";
import { startStoreProcess } from "./store-process.ts";

const set = (name: string, bytes: number): StoreTransaction => ({
	operations: [{ type: "set", key: [name], value: "x".repeat(bytes) }],
});

test("on a full disk a write fails with unavailable, its neighbours do not, and the store goes on", async () => {
	const directory = temporaryDirectory();
	// A process that may write files up to 4 MiB (in blocks of 512 bytes): the system refuses as it does on a full disk.
	const small = startStoreProcess({ shellLimit: "-f 8192" });
	try {
		await small.open({ directory: directory.path, maxStoreBytes: 1024 ** 3 });
		expect(await small.commit(set("a", 1_000_000))).toMatchObject({ committed: true });

		const results = await small.commitAll([
			set("b", 100),
			set("large", 6_000_000),
			set("c", 100),
			set("large", 7_000_000),
			set("d", 100),
		]);
		expect(results.map((result) => ("committed" in result ? result.committed : result))).toEqual([
			true,
			{
				code: "unavailable",
				message: expect.stringMatching(
					/^The store could not be written: (?:its file may not grow any more|the disk is full or) [^:]*\.$/,
				),
			},
			true,
			{ code: "unavailable", message: expect.not.stringContaining(directory.path) },
			true,
		]);
		const versions = results.map((result) => ("version" in result ? result.version : undefined)).filter((version) => version);
		expect(new Set(versions).size).toBe(3);

		// Until nothing goes in any more; then what is deleted makes room.
		let index = 0;
		while ("committed" in (await small.commit(set(`fill${index}`, 300_000)).catch(() => ({})))) index++;
		expect(index).toBeGreaterThan(2);
		expect(await small.commit({ operations: [{ type: "delete", key: ["a"] }] })).toMatchObject({ committed: true });
		// Pages are free for the second transaction after the one that freed them.
		expect(await small.commit(set("b", 100))).toMatchObject({ committed: true });
		expect(await small.commit(set("again", 300_000))).toMatchObject({ committed: true });
		expect((await small.list({ prefix: [], limit: 100 })).map((entry) => entry.key[0])).toEqual([
			"again",
			"b",
			"c",
			"d",
			...Array.from({ length: index }, (_, each) => `fill${each}`).sort(),
		]);
	} finally {
		await small.end();
	}

	// Without the limit the same file takes writes again.
	const large = startStoreProcess();
	await large.open({ directory: directory.path, maxStoreBytes: 1024 ** 3 });
	expect(await large.commit(set("large", 6_000_000))).toMatchObject({ committed: true });
	await large.end();
	directory.remove();
});
