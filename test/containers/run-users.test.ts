import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { mapId, RunUsers } from "../../host/executors/container/run-users.ts";

const mine = { uid: process.getuid?.(), gid: process.getgid?.() };

describe("users of runs", () => {
	test.each(["none", "shared"] as const)("each run has one of its own where containers share a range (%s)", (namespaces) => {
		const users = new RunUsers({ isRoot: true, namespaces });
		const taken = Array.from({ length: 5_000 }, () => users.take());
		expect(new Set(taken.map(({ uid }) => uid)).size).toBe(5_000);
		for (const { uid, gid } of taken) {
			expect(gid).toBe(uid);
			// Never root, nobody, or an account of a machine; with `shared` inside of what 65,536 mapped ids are.
			expect(uid).toBeGreaterThanOrEqual(namespaces === "none" ? 1_900_000_000 : 10_000);
			expect(uid).toBeLessThan(namespaces === "none" ? 2 ** 31 : 65_534);
		}
	});

	test("one that was given back can be had again, and not before", () => {
		const users = new RunUsers({ isRoot: true, namespaces: "shared" });
		// All that there are: there is an end to the search for one more only when one is given back.
		const taken = Array.from({ length: 50_000 }, () => users.take());
		const [first] = taken as [(typeof taken)[0]];
		first[Symbol.dispose]();
		expect(users.take().uid).toBe(first.uid);
	});

	test("where every container has a range of its own, the number may be the same", () => {
		const users = new RunUsers({ isRoot: true, namespaces: "own" });
		expect(users.take()).toMatchObject({ uid: 1_000, gid: 1_000 });
		expect(users.take()).toMatchObject({ uid: 1_000, gid: 1_000 });
	});

	test("a host that is not root has no others than its own, and its files stay its own", () => {
		for (const namespaces of ["none", "shared", "own"] as const) {
			const users = new RunUsers({ isRoot: false, namespaces });
			expect(users.take()).toMatchObject(mine);
			expect(users.hostGroup({ uid: 1, gid: 1 }, process.pid)).toBeUndefined();
		}
	});

	test("the group of the host's files is read from the maps of the process", () => {
		const users = new RunUsers({ isRoot: true, namespaces: "none" });
		const map = readFileSync("/proc/self/gid_map", "utf8");
		expect(users.hostGroup({ uid: 0, gid: 0 }, process.pid)).toBe(mapId(map, 0));
	});
});

describe("the map of a user namespace", () => {
	test.each([
		["         0          0 4294967295\n", 1_000, 1_000],
		["         0     100000      65536\n", 0, 100_000],
		["         0     100000      65536\n", 65_535, 165_535],
		["0 1000 1\n1 100000 65536\n", 0, 1_000],
		["0 1000 1\n1 100000 65536\n", 1_000, 100_999],
		["0 2147483648 1024", 1_000, 2_147_484_648],
	])("%j maps %i to %i", (map, inside, outside) => {
		expect(mapId(map, inside)).toBe(outside);
	});

	test.each([
		["0 100000 65536", 65_536],
		["1 100000 65536", 0],
		["", 0],
	])("%j does not map %i", (map, id) => {
		expect(() => mapId(map, id)).toThrow(new RangeError(`The id ${id} is not mapped in ${JSON.stringify(map)}.`));
	});
});
