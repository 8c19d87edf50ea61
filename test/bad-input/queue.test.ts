import { describe, expect, test } from "vitest";
import { javascriptEngines, useArena } from "../escapes/arena.ts";

describe.each(javascriptEngines)("a host that is full, %s", (engine) => {
	const arena = useArena(engine, { limits: { maxQueuedRuns: 2 } });

	test("refuses one run more than may wait, at once, and serves those that wait", async () => {
		const abort = new AbortController();
		const script = { name: "wait.js", source: "await new Promise((resolve) => setTimeout(resolve, 60_000));" };
		const first = arena.host.run({ script, signal: abort.signal });
		const waiting = [1, 2].map((n) => arena.host.run({ script: { name: "n.js", source: `export default () => ${n}` } }));
		await expect(arena.host.run({ script })).rejects.toMatchObject({
			name: "RuntimeError",
			code: "unavailable",
			message: "3 runs are under way, 3 of the namespace default; the limit maxQueuedRuns is 2, beside 1 that may run.",
			details: { limit: { name: "maxQueuedRuns", value: 2, unit: "runs" }, retryAfterMs: expect.any(Number) },
		});
		abort.abort();
		expect(await first).toMatchObject({ status: "cancelled", exitCode: 130 });
		expect((await Promise.all(waiting)).map(({ output }) => output)).toEqual([1, 2]);
		expect((await arena.run("export default () => 'free again'")).output).toBe("free again");
	});

	test("cancels a run that waits without starting it", async () => {
		const first = new AbortController();
		const second = new AbortController();
		const running = arena.host.run({
			script: { name: "wait.js", source: "await new Promise((resolve) => setTimeout(resolve, 60_000));" },
			signal: first.signal,
		});
		const queued = arena.host.run({ script: { name: "never.js", source: "console.log('started')" }, signal: second.signal });
		second.abort();
		expect(await queued).toMatchObject({ status: "cancelled", logs: [], error: { code: "cancelled" } });
		first.abort();
		expect(await running).toMatchObject({ status: "cancelled" });
	});

	test("cancels a run whose signal was aborted before it began", async () => {
		const outcome = await arena.run("console.log('started')", { signal: AbortSignal.abort() });
		expect(outcome).toMatchObject({ status: "cancelled", logs: [], error: { code: "cancelled" } });
	});
});
