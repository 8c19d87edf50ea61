import { expect, test } from "vitest";
import { findLeaks } from "./leaks.ts";
import type { ProcessFacts } from "./process-facts.ts";

const MiB = 1024 * 1024;
const storm = { runs: 1_000, maxWorkers: 6 };

/** Twenty looks at a process in which `name` grows by `step` between two of them. */
function look(name: keyof ProcessFacts, step: number): ProcessFacts[] {
	const first = { heapBytes: 10 * MiB, anonymousBytes: 300 * MiB, threads: 20, descriptors: 80, descriptorsInDirectory: 10 };
	return Array.from({ length: 20 }, (_, index) => ({ ...first, [name]: first[name] + index * step }));
}

test("a process that stays as it is leaks nothing", () => {
	expect(findLeaks(look("threads", 0), storm)).toEqual([]);
});

test.each([
	["heapBytes", 2 * MiB],
	["anonymousBytes", 15 * MiB],
	["threads", 1],
	["descriptors", 3],
	["descriptorsInDirectory", 1],
] as const)("%s that grow steadily are a leak", (name, step) => {
	expect(findLeaks(look(name, step), storm)).toEqual([expect.stringContaining(`leak: ${name} grew by`)]);
});

test("a peak that passes is no leak", () => {
	const looks = look("anonymousBytes", 0).map((facts, index) =>
		index % 4 === 3 ? { ...facts, anonymousBytes: 900 * MiB } : facts,
	);
	expect(findLeaks(looks, storm)).toEqual([]);
});

test("what grows only while the process warms up is no leak", () => {
	const looks = look("threads", 0).map((facts, index) => ({ ...facts, threads: facts.threads + Math.min(index, 5) * 10 }));
	expect(findLeaks(looks, storm)).toEqual([]);
});
