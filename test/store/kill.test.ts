import { expect, test } from "vitest";
import { temporaryDirectory } from "./directory.ts";
import { killRound } from "./kill-rounds.ts";

test("what was acknowledged outlives kill -9, and no transaction is torn", async () => {
	const directory = temporaryDirectory();
	try {
		let acknowledged = 0;
		for (const afterMs of [5, 150, 400]) {
			const round = await killRound(directory.path, afterMs);
			expect(round.faults).toEqual([]);
			acknowledged += round.acknowledged;
		}
		expect(acknowledged).toBeGreaterThan(50);
	} finally {
		directory.remove();
	}
}, 60_000);
