import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { javascriptEngines, useArena } from "./arena.ts";

describe.each(javascriptEngines)("after the end of a run, %s", (engine) => {
	const arena = useArena(engine);

	test.each([
		["a microtask", "Promise.resolve().then(() => Promise.resolve()).then(act)"],
		["a timer", "setTimeout(act, 0)"],
		["an answer that comes late", "cronium.setVariable('k', 1).then(act)"],
		["an interval", "setInterval(act, 1)"],
	])("%s sets no output, no condition and no variable", async (_, schedule) => {
		const outcome = await arena.run(
			`const act = () => { for (let i = 0; i < 3; i++) { cronium.setOutput("late").catch(() => {}); cronium.setCondition(true).catch(() => {}); cronium.incrementVariable("late").catch(() => {}); } };
			export default () => { setTimeout(() => { ${schedule}; }, 1); return "returned"; }`,
			{ namespace: "late" },
		);
		expect(outcome).toMatchObject({ status: "succeeded", output: "returned", condition: null });
		await delay(20);
		expect(await arena.host.variables("late").get("late")).toBeUndefined();
		const stored = await arena.host.executions.outcome(outcome.executionId);
		expect(stored).toMatchObject({ status: "succeeded", output: "returned", condition: null });
		const journal = await arena.host.executions.journal(outcome.executionId);
		expect(journal.filter(({ operation }) => operation === "variables.increment")).toEqual([]);
	});

	test("the stored outcome says what the caller was told, for every way to end", async () => {
		for (const [source, limits] of [
			["export default () => ({ a: 1 })", {}],
			["cronium.setOutput(1); cronium.setCondition(false); throw new Error('after the output');", {}],
			["await cronium.setOutput(1); await cronium.setCondition(true); console.log('x'); for (;;);", { maxWallTimeMs: 200 }],
			["export default () => 10n", {}],
		] as const) {
			const outcome = await arena.run(source, { limits });
			const stored = await arena.host.executions.outcome(outcome.executionId);
			expect(stored).toEqual(outcome);
		}
	});

	test("an output and a condition that were set stay when the script then fails or is stopped", async () => {
		for (const end of [
			"throw new Error('x')",
			"for (;;);",
			"await new Promise(() => {})",
			"(function f() { f() })()",
			"Array(1e8).join('x'.repeat(10))",
		]) {
			const outcome = await arena.run(
				`await cronium.setOutput({ kept: true }); await cronium.setCondition(true); ${end}; export {}`,
				{ limits: { maxWallTimeMs: 300 } },
			);
			expect(outcome.status).not.toBe("succeeded");
			expect({ end, output: outcome.output, condition: outcome.condition }).toEqual({
				end,
				output: { kept: true },
				condition: true,
			});
		}
	});

	test("a run that was cancelled writes nothing more", async () => {
		const abort = new AbortController();
		const outcome = await arena.run(
			`let n = 0; console.log("started"); for (;;) { await cronium.setVariable("progress", ++n).catch(() => {}); }`,
			{ namespace: "cancelled", signal: abort.signal, onLog: () => setTimeout(() => abort.abort(), 30) },
		);
		expect(outcome).toMatchObject({ status: "cancelled", exitCode: 130, error: { code: "cancelled" } });
		const progress = await arena.host.variables("cancelled").get("progress");
		expect(Number(progress)).toBeGreaterThan(0);
		await delay(30);
		expect(await arena.host.variables("cancelled").get("progress")).toEqual(progress);
	});
});
