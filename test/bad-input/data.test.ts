import { describe, expect, test } from "vitest";
import { javascriptEngines, useArena } from "../escapes/arena.ts";

describe.each(javascriptEngines)("bad data, %s", (engine) => {
	const arena = useArena(engine);

	/** The error a helper call ends in, as the script sees it. */
	async function refusal(call: string, options: Parameters<typeof arena.run>[1] = {}): Promise<unknown> {
		const { output, status, error } = await arena.run(
			`export default async () => { try { return { answered: (await ${call}) ?? null }; } catch (error) { return { name: error.name, code: error.code, message: error.message, limit: error.details?.limit ?? error.limit ?? null }; } }`,
			{ namespace: "data", ...options },
		);
		expect({ status, error }).toEqual({ status: "succeeded", error: undefined });
		return output;
	}

	test.each([
		["a key of 300 characters", '"k".repeat(300)', /300.*255/],
		["a key of 256 emoji", '"🙂".repeat(256)', /256.*255/],
		["an empty key", '""', /empty/],
		["the key .", '"."', /"\."/],
		["the key ..", '".."', /"\.\."/],
		["a key with a line end", '"a\\nb"', /control character U\+000A/],
		["a key with NUL", '"a\\u0000b"', /control character U\+0000/],
		["a key with DEL", '"a\\u007f"', /control character U\+007F/],
		["a key with a C1 control", '"a\\u0085"', /control character U\+0085/],
		["a key with a lone surrogate", '"a\\ud800"', /surrogate/],
		["a key that is a number", "7", /number/],
		["no key", "", /missing|undefined/],
	])("%s is refused by every helper that takes one, with its reason", async (_, key, message) => {
		for (const call of [
			`getVariable(${key})`,
			`getVariableEntry(${key})`,
			`deleteVariable(${key})`,
			`incrementVariable(${key})`,
			...(key ? [`setVariable(${key}, 1)`] : []),
		]) {
			expect(await refusal(`cronium.${call}`)).toMatchObject({
				name: "RuntimeError",
				code: "invalid",
				message: expect.stringMatching(message),
			});
		}
	});

	test.each([
		"a/b",
		"a b",
		"a.b",
		"...",
		"ключ",
		"🙂".repeat(255),
		"k".repeat(255),
		"__proto__",
		"constructor",
		"%2F",
		"\u202e",
		"a\u0301",
	])("the key %j is legal and comes back as it went in", async (key) => {
		const name = JSON.stringify(key);
		const { output, status } = await arena.run(
			`export default async () => { await cronium.setVariable(${name}, 0); return [await cronium.getVariable(${name}), (await cronium.listVariables({ prefix: ${name} })).items.map(({ key }) => key), await cronium.deleteVariable(${name})]; }`,
			{ namespace: "keys" },
		);
		expect({ status, output }).toEqual({ status: "succeeded", output: [0, [key], true] });
	});

	test.each([
		["a cyclic value", "(() => { const a = {}; a.a = a; return a; })()", /object that contains it/],
		["a BigInt", "1n", /BigInt/],
		["a function", "() => {}", /function/i],
		["a symbol", "Symbol('x')", /symbol/i],
		["undefined", "undefined", /undefined|missing/],
		["NaN", "NaN", /NaN/],
		["Infinity inside a value", "{ a: [Infinity] }", /Infinity/],
		["a lone surrogate", "'\\udfff'", /surrogate/i],
		["129 levels", "(() => { let a = 1; for (let i = 0; i < 129; i++) a = [a]; return a; })()", /128/],
		["100,000 levels", "(() => { let a = 1; for (let i = 0; i < 100_000; i++) a = [a]; return a; })()", /./],
	])("%s is refused as a value of every helper that takes one", async (title, value, message) => {
		for (const call of [`setVariable("k", ${value})`, `setOutput(${value})`]) {
			const seen = (await refusal(`cronium.${call}`)) as { code: string; name: string };
			expect(seen).toMatchObject({ message: expect.stringMatching(message) });
			if (!title.startsWith("100,000")) expect({ call, code: seen.code }).toEqual({ call, code: "invalid" });
		}
		expect(await arena.host.variables("data").get("k")).toBeUndefined();
	});

	test("128 levels, the longest key and the largest value are accepted", async () => {
		const { output, status, error } = await arena.run(
			`export default async () => { let deep = 1; for (let i = 0; i < 128; i++) deep = [deep]; await cronium.setVariable("deep", deep); await cronium.setVariable("k".repeat(255), 1);
				await cronium.setVariable("large", "x".repeat(2 ** 20 - 2)); return (await cronium.getVariable("large")).length; }`,
			{ namespace: "largest" },
		);
		expect({ status, error, output }).toEqual({ status: "succeeded", error: undefined, output: 2 ** 20 - 2 });
	});

	test("a value over its limit is too-large and names both", async () => {
		expect(await refusal(`cronium.setVariable("k", "x".repeat(2 ** 20))`)).toMatchObject({
			name: "RuntimeError",
			code: "too-large",
			message: expect.stringMatching(/1048578.*maxValueBytes.*1048576|1048578.*1048576.*maxValueBytes/),
			limit: { name: "maxValueBytes", value: 1_048_576, unit: "bytes" },
		});
	});

	test("an output over its limit is too-large for setOutput, and the run goes on", async () => {
		expect(await refusal(`cronium.setOutput("x".repeat(1_000))`, { limits: { maxOutputBytes: 1_000 } })).toMatchObject({
			code: "too-large",
			message: expect.stringMatching(/1002.*1000/),
		});
	});

	test("an increment of what is no number, or beyond what numbers hold, is refused and changes nothing", async () => {
		await arena.host.variables("data").set("text", '"seven"');
		await arena.host.variables("data").set("edge", String(Number.MAX_SAFE_INTEGER));
		for (const [call, message] of [
			['incrementVariable("text")', /number/],
			['incrementVariable("edge")', /./],
			['incrementVariable("n", NaN)', /NaN|null|number/],
			['incrementVariable("n", "1")', /string|number/],
			['incrementVariable("n", 1e308 * 10)', /./],
		] as const)
			expect(await refusal(`cronium.${call}`)).toMatchObject({ code: "invalid", message: expect.stringMatching(message) });
		expect(await arena.host.variables("data").get("n")).toBeUndefined();
	});

	test("conditions and pages of the wrong kind are refused", async () => {
		for (const call of [
			"setCondition('yes')",
			"setCondition(1)",
			"setCondition(null)",
			"setCondition()",
			"listVariables({ limit: 0 })",
			"listVariables({ limit: 1001 })",
			"listVariables({ limit: 1.5 })",
			"listVariables({ cursor: 'x' })",
			"listVariables(7)",
			"setVariable('k', 1, { ifAbsent: true, ifVersion: 'v' })",
			"setVariable('k', 1, { expiresInMs: -1 })",
			"setVariable('k', 1, { unknown: 1 })",
		])
			expect({ call, ...((await refusal(`cronium.${call}`)) as object) }).toMatchObject({ call, code: "invalid" });
	});

	test.each([
		["not JSON", "{", /input is not JSON/],
		["nothing", "", /input is not JSON/],
		["two values", "1 2", /input is not JSON/],
		["single quotes", "{'a':1}", /input is not JSON/],
		["NaN", "NaN", /input is not JSON/],
		["a duplicate member", '{"a":1,"\\u0061":2}', /"a" twice/],
		["a lone surrogate", '"\\ud800"', /surrogate/],
		["a raw control character", '"\u0001"', /control character U\+0001/],
		["100,000 levels", "[".repeat(100_000) + "]".repeat(100_000), /128.*maxJsonDepth/],
		["a byte order mark", "\ufeff1", /input is not JSON/],
	])("an input with %s is refused before anything runs", async (_, input, message) => {
		const before = await arena.host.executions.list();
		await expect(arena.host.run({ script: { name: "x.js", source: "console.log('ran')" }, input })).rejects.toMatchObject({
			name: "RuntimeError",
			code: "invalid",
			message: expect.stringMatching(message),
		});
		expect(await arena.host.executions.list()).toEqual(before);
		expect(await arena.run("export default (input) => input", { input: "1" })).toMatchObject({ status: "succeeded", output: 1 });
	});

	test("an input over its limit is too-large and names both", async () => {
		await expect(
			arena.host.run({ script: { name: "x.js", source: "" }, input: `"${"x".repeat(2 ** 20)}"` }),
		).rejects.toMatchObject({
			code: "too-large",
			message: expect.stringMatching(/1048578.*1048576/),
			details: { limit: { name: "maxInputBytes", value: 1_048_576, unit: "bytes" } },
		});
	});

	test("a source over its limit is too-large and names both", async () => {
		await expect(
			arena.host.run({ script: { name: "x.js", source: "x".repeat(101) }, limits: { maxSourceBytes: 100 } }),
		).rejects.toMatchObject({
			code: "too-large",
			message: expect.stringMatching(/101.*maxSourceBytes.*100/),
			details: { limit: { name: "maxSourceBytes", value: 100, unit: "bytes" } },
		});
	});

	test("a source of 4 MiB runs", async () => {
		const source = `export default () => ${"/* */".repeat(100_000)} 1;${"\n".repeat(3_600_000)}`;
		expect(await arena.run(source)).toMatchObject({ status: "succeeded", output: 1 });
	});

	test.each([
		["an unknown limit", { maxNonsense: 1 }, /maxNonsense/],
		["a limit of the wrong size", { maxWallTimeMs: 0 }, /maxWallTimeMs is 0/],
		["a limit that is no whole number", { maxMemoryBytes: 1.5 }, /maxMemoryBytes is 1\.5/],
		["a limit over its maximum", { maxStackBytes: 2 ** 40 }, /maxStackBytes/],
		["a limit of the host", { maxWorkers: 1 }, /maxWorkers/],
		["a limit named like a built-in", { __proto__x: 1, constructor: 1 }, /__proto__x|constructor/],
	])("a run with %s is refused", async (_, limits, message) => {
		await expect(arena.host.run({ script: { name: "x.js", source: "" }, limits: limits as never })).rejects.toMatchObject({
			code: "invalid",
			message: expect.stringMatching(message),
		});
	});

	test("a variable given with the run is checked like any other", async () => {
		const script = { name: "x.js", source: "" };
		await expect(arena.host.run({ script, variables: { "": "1" } })).rejects.toMatchObject({ code: "invalid" });
		await expect(arena.host.run({ script, variables: { k: "{" } })).rejects.toMatchObject({
			code: "invalid",
			message: expect.stringContaining("k"),
		});
		await expect(arena.host.run({ script, variables: { k: `"${"x".repeat(2 ** 20)}"` } })).rejects.toMatchObject({
			code: "too-large",
		});
	});

	test("log lines over the limit leave one marker and the run goes on", async () => {
		const outcome = await arena.run(
			`for (let i = 0; i < 1_000; i++) { console.log("line " + i); await cronium.log.info("structured " + i); } export default () => "went on";`,
			{ limits: { maxLogBytes: 1_000 } },
		);
		expect(outcome).toMatchObject({ status: "succeeded", output: "went on" });
		const markers = outcome.logs.filter(({ source }) => source === "system");
		expect(markers).toHaveLength(1);
		expect(markers[0]?.message).toMatch(/1000.*maxLogBytes|maxLogBytes.*1000/);
		expect(outcome.logs.at(-1)).toEqual(markers[0]);
		expect(outcome.logs.length).toBeLessThan(200);
	});

	test("a log line over its limit is cut and says so", async () => {
		const outcome = await arena.run(
			`console.log("x".repeat(100_000)); await cronium.log.info("y".repeat(100_000)); export default () => "went on";`,
			{ limits: { maxLogLineBytes: 1_000 } },
		);
		expect(outcome).toMatchObject({ status: "succeeded", output: "went on" });
		for (const { message } of outcome.logs) {
			expect(Buffer.byteLength(message)).toBeLessThanOrEqual(1_200);
			expect(message).toMatch(/cut|maxLogLineBytes|…/);
		}
		expect(outcome.logs.length).toBeGreaterThanOrEqual(2);
	});

	test("no log bytes at all leave the marker only", async () => {
		const outcome = await arena.run(`console.log("one"); console.log("two");`, { limits: { maxLogBytes: 0 } });
		expect(outcome.logs.map(({ source }) => source)).toEqual(["system"]);
	});

	test("a journal over its limit is a failure that names it", async () => {
		const outcome = await arena.run(`for (let i = 0; ; i++) await cronium.getVariable("k".repeat(200) + i);`, {
			limits: { maxJournalBytes: 64 * 1024, maxHostCalls: 1_000_000 },
		});
		expect(outcome).toMatchObject({
			status: "failed",
			error: { code: "journal-exceeded", limit: { name: "maxJournalBytes", value: 65_536, unit: "bytes" } },
		});
	});

	test("__proto__ members in the input are data, in the event they are no field", async () => {
		const outcome = await arena.run(
			"export default async (input) => [Object.keys(input), input.__proto__.admin, ({}).admin ?? null]",
			{ input: '{"__proto__":{"admin":true}}' },
		);
		expect(outcome.output).toEqual([["__proto__"], true, null]);
		const event = JSON.parse('{"id":"e","__proto__":{"admin":true}}') as never;
		await expect(arena.run("", { event })).rejects.toMatchObject({
			code: "invalid",
			message: expect.stringContaining('"__proto__"'),
		});
	});
});
