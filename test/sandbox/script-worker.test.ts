import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Job, watchCpuTime } from "../../host/sandbox/script-worker.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const watch = async (ready: readonly Job["engine"][], usedMs: number): Promise<boolean> => {
	const onCpuTimeExceeded = vi.fn<() => void>();
	const job: Job = {
		namespace: "tests",
		engine: "python",
		signal: new AbortController().signal,
		maxCpuTimeMs: 100,
		onCpuTimeExceeded,
		onLog: () => undefined,
		start: () => {
			throw new Error("It is not started here.");
		},
	};
	using _watch = watchCpuTime(job, new Set(ready), async () => usedMs);
	await vi.advanceTimersByTimeAsync(60_000);
	return onCpuTimeExceeded.mock.calls.length > 0;
};

test("a script is stopped from outside when its worker has used more than it may", async () => {
	expect(await watch(["quickjs-wasi", "python"], 100)).toBe(false);
	expect(await watch(["quickjs-wasi", "python"], 101)).toBe(true);
});

test("what a worker needs to make the engine is not the script's, and has an end", async () => {
	expect(await watch(["quickjs-wasi"], 1_900)).toBe(false);
	expect(await watch(["quickjs-wasi"], 10_000)).toBe(true);
});
