import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runHostKillRounds } from "./host-kill-rounds.ts";
import { runStorm } from "./storm.ts";

let directory: string;
beforeEach(async () => {
	directory = await mkdtemp(join(tmpdir(), "cronium-soak-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

// Shown when an assertion fails: `npm run soak -- --seed` makes the same runs again.
const seed = randomInt(2 ** 31);

test("three seconds of random runs end once each, lose nothing that was acknowledged, leave gap-free journals and leak nothing", async () => {
	const report = await runStorm({ seed, dataDirectory: directory, runs: 100_000, seconds: 3 });
	expect({ seed, problems: report.problems }).toEqual({ seed, problems: [] });
	expect(report.runs).toBeGreaterThan(10);
	expect(report.totals.runs).toBe(report.runs);
	expect(report.totals.effects).toBeGreaterThan(report.runs / 2);
}, 120_000);

test("a host that is killed for five seconds, again and again, loses nothing that was acknowledged and no run", async () => {
	const report = await runHostKillRounds({ seed, dataDirectory: directory, rounds: 100, seconds: 5 });
	expect({ seed, problems: report.problems }).toEqual({ seed, problems: [] });
	expect(report.rounds).toBeGreaterThan(1);
	expect(report.acknowledged).toBeGreaterThan(0);
	expect(report.lost).toBeGreaterThan(0);
}, 120_000);
