import { describe, expect, test } from "vitest";
import { resolveLimits } from "../host/contract/limits.ts";
import { RunPlaces } from "../host/run-places.ts";

const take = (places: RunPlaces, namespace: string, count: number): Disposable[] =>
	Array.from({ length: count }, () => places.take(namespace));

describe("places for runs", () => {
	test("a namespace fills its own, and is refused with its name, its number and the limit, while others are not", () => {
		const places = RunPlaces.sandbox(resolveLimits({ maxWorkers: 8, maxNamespaceQueuedRuns: 3 }));
		// Seven of eight workers, and three that wait.
		const held = take(places, "flood", 10);
		expect(() => places.take("flood")).toThrow(
			expect.objectContaining({
				code: "unavailable",
				message: "The namespace flood has 10 runs under way; the limit maxNamespaceQueuedRuns is 3, beside 7 that may run.",
				details: { limit: { name: "maxNamespaceQueuedRuns", value: 3, unit: "runs" }, retryAfterMs: 1_000 },
			}),
		);
		take(places, "calm", 10);
		held[0]?.[Symbol.dispose]();
		// A place is given back once.
		held[0]?.[Symbol.dispose]();
		take(places, "flood", 1);
		expect(() => places.require("flood")).toThrow("maxNamespaceQueuedRuns");
	});

	test("a namespace that may run few at one time has so many fewer under way", () => {
		const places = RunPlaces.sandbox(resolveLimits({ maxWorkers: 8, maxNamespaceRuns: 2, maxNamespaceQueuedRuns: 0 }));
		take(places, "a", 2);
		expect(() => places.take("a")).toThrow("maxNamespaceQueuedRuns");
	});

	test("several namespaces together do not take the places of those who have none", () => {
		const places = RunPlaces.sandbox(resolveLimits({ maxWorkers: 8, maxQueuedRuns: 16 }));
		// 24 in all; one worker and two that wait are kept.
		take(places, "a", 11);
		take(places, "b", 10);
		for (const namespace of ["a", "b"]) expect(() => places.take(namespace)).toThrow("the limit maxQueuedRuns is 16");
		const newcomers = ["c", "d", "e"].map((namespace) => places.take(namespace));
		expect(() => places.take("f")).toThrow(
			"24 runs are under way, 0 of the namespace f; the limit maxQueuedRuns is 16, beside 8 that may run.",
		);
		newcomers[0]?.[Symbol.dispose]();
		expect(() => places.take("d")).toThrow("maxQueuedRuns");
		take(places, "f", 1);
	});

	test("external runs are counted by themselves, with limits of their own", () => {
		const places = RunPlaces.external(resolveLimits({ maxExternalRuns: 16, maxNamespaceExternalRuns: 9 }));
		take(places, "a", 9);
		expect(() => places.take("a")).toThrow(
			expect.objectContaining({
				details: { limit: { name: "maxNamespaceExternalRuns", value: 9, unit: "runs" }, retryAfterMs: 1_000 },
			}),
		);
		take(places, "b", 5);
		expect(() => places.take("b")).toThrow(
			"14 external runs are under way, 5 of the namespace b; the limit maxExternalRuns is 16.",
		);
		take(places, "c", 1);
	});
});
