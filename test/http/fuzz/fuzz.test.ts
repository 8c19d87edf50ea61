import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCampaign } from "./campaign.ts";

let directory: string;
beforeEach(async () => {
	directory = await mkdtemp(join(tmpdir(), "cronium-fuzz-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

// Shown when an assertion fails: `npm run fuzz -- --seed` makes the same requests again.
const seed = randomInt(2 ** 31);

test("2,000 random requests get the answers that the OpenAPI documents describe, and leave journals of what they did", async () => {
	const { requests, statuses, journalEntries, problems } = await runCampaign({ seed, requests: 2_000, directory });
	expect({ seed, problems }).toEqual({ seed, problems: [] });
	expect(requests).toBe(2_000);
	expect(journalEntries).toBeGreaterThan(200);
	// Every operation was asked, and a fuzzer whose requests were all refused would find nothing.
	const counts = Object.values(statuses);
	expect(counts).toHaveLength(34);
	expect(counts.filter((one) => Object.keys(one).some((status) => Number(status) < 300)).length).toBeGreaterThan(27);
	const all = counts.flatMap((one) => Object.keys(one));
	for (const status of ["400", "401", "403", "404", "409", "412", "413", "415", "422", "429", "431"])
		expect(all).toContain(status);
}, 120_000);
