import { beforeAll, describe, expect, test } from "vitest";
import { javascriptEngines, useArena } from "./arena.ts";

describe.each(javascriptEngines)("a script in one namespace, %s", (engine) => {
	const arena = useArena(engine);
	let cursor: string | undefined;
	beforeAll(async () => {
		const red = arena.host.variables("red");
		for (const key of ["secret", "a", "b", "c"]) await red.set(key, JSON.stringify(`red ${key}`));
		const { output } = await arena.host.run({
			script: { name: "page.js", source: "export default () => cronium.listVariables({ limit: 2 })" },
			namespace: "red",
		});
		cursor = (output as { cursor?: string }).cursor;
		expect(cursor).toEqual(expect.any(String));
	});

	test("reads no variable of another, whatever key it names", async () => {
		const outcome = await arena.run(
			`export default async function () {
				const found = [];
				for (const key of ["secret", "red/secret", "../red/secret", "/red/secret", "red\\u0000secret", "\\u0000red", "red.secret", "red:secret", "%2e%2e/red/secret", "..", ".", "__proto__", "constructor",
					'["variables","red","secret"]', "variables", "executions", "\\u0001", "\\uffff", "\\u{10ffff}"])
					for (const read of [cronium.getVariable, cronium.getVariableEntry]) found.push(await read(key).catch((error) => error.code));
				return found.filter((value) => value !== null && value !== undefined && value !== "invalid");
			}`,
			{ namespace: "blue" },
		);
		expect(outcome).toMatchObject({ status: "succeeded", output: [] });
	});

	test("lists no key of another, with any prefix and any cursor, stolen ones included", async () => {
		await arena.host.variables("blue").set("own", "1");
		const outcome = await arena.run(
			`export default async function (stolen) {
				const seen = new Set(), codes = new Set();
				const cursors = [stolen, stolen + "x", stolen.slice(0, -1), "", "a", "[]", '["variables","red"]', btoa('["variables","red",""]'), btoa("red"), btoa("../red"), "AAAA", "\\u0000", "-1", "__proto__"];
				for (const prefix of [undefined, "", "s", "red", "../", "\\u0000", "\\uffff", "o"]) for (const cursor of [undefined, ...cursors])
					try { for (const { key } of (await cronium.listVariables({ prefix, cursor, limit: 1000 })).items) seen.add(key); } catch (error) { codes.add(error.code); }
				return { seen: [...seen], codes: [...codes] };
			}`,
			{ namespace: "blue", input: JSON.stringify(cursor) },
		);
		expect(outcome.status).toBe("succeeded");
		expect((outcome.output as { seen: string[] }).seen.filter((key) => key !== "own")).toEqual([]);
		expect((outcome.output as { codes: string[] }).codes).toEqual(["invalid"]);
	});

	test("changes, counts and deletes nothing of another", async () => {
		const before = await arena.host.variables("red").list();
		const outcome = await arena.run(
			`export default async function () {
				const version = (await cronium.getVariableEntry("secret"))?.metadata.version ?? null;
				return [version, await cronium.deleteVariable("secret"), await cronium.setVariable("secret", "blue").then(() => "written"), await cronium.deleteVariable("secret"), await cronium.incrementVariable("a")];
			}`,
			{ namespace: "blue" },
		);
		expect(outcome).toMatchObject({ status: "succeeded", output: [null, false, "written", true, 1] });
		expect(await arena.host.variables("red").list()).toEqual(before);
	});

	test.each(["red-", "red.", "re", "redd", "Red", "RED", "red_2"])(
		"whose name is close (%s) sees nothing of red",
		async (namespace) => {
			const { output, status } = await arena.run(
				`export default async () => [(await cronium.listVariables()).items.length, await cronium.getVariable("secret")]`,
				{ namespace },
			);
			expect({ status, output }).toEqual({ status: "succeeded", output: [0, null] });
		},
	);

	test.each(["", ".", "..", "../red", "red/secret", "red\0", "red\n", " red", "red ", "rød", "__proto__", "x".repeat(129)])(
		"cannot be started in the malformed namespace %j",
		async (namespace) => {
			await expect(arena.host.run({ script: { name: "x.js", source: "" }, namespace })).rejects.toMatchObject({
				name: "RuntimeError",
				code: "invalid",
			});
		},
	);

	test("has no right that its run was not given, however it asks", async () => {
		const outcome = await arena.run(
			`const calls = { getVariable: ["secret"], getVariableEntry: ["secret"], listVariables: [], setVariable: ["secret", 1], deleteVariable: ["secret"], incrementVariable: ["a"], getInput: [], setCondition: [true],
				getCondition: [], getEventContext: [], writeLog: ["info", "m"] };
			const codes = {};
			for (const [name, list] of Object.entries(calls)) codes[name] = await cronium[name](...list).then(() => "answered", (error) => error.code);
			await cronium.setOutput(codes);`,
			{ namespace: "red", scopes: ["output:write"] },
		);
		expect(outcome).toMatchObject({ status: "succeeded", condition: null, logs: [] });
		const codes = outcome.output as Record<string, string>;
		expect(new Set(Object.values(codes))).toEqual(new Set(["denied"]));
		expect(Object.keys(codes)).toHaveLength(11);
		expect(await arena.host.variables("red").get("secret")).toBe('"red secret"');
	});

	test("runs its default function without the right to read the input, and without an input", async () => {
		const { status, output } = await arena.run("export default (input) => [input ?? null]", {
			input: '"secret"',
			scopes: ["output:write"],
		});
		expect({ status, output }).toEqual({ status: "succeeded", output: [null] });
	});

	test("without output:write returns nothing: the value returned is refused like any other output", async () => {
		const outcome = await arena.run("export default () => 'smuggled'", { scopes: ["input:read"] });
		expect(outcome.output).toBeUndefined();
		expect(outcome.status).toBe("failed");
	});
});
