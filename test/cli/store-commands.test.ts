import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createDirectory, cronium } from "./cronium.ts";

/** The command line on a data directory of its own. */
function useData(directory = createDirectory()) {
	const env = { CRONIUM_DATA: join(directory, "data") };
	return (...argv: string[]) => cronium(argv, { cwd: directory, env });
}

describe("cronium variables", () => {
	test("set, get, list and delete", async () => {
		const run = useData();
		expect(await run("variables", "set", "a/b c", '{"x":[1.0]}')).toEqual({ code: 0, stdout: "", stderr: "" });
		expect(await run("variables", "get", "a/b c")).toEqual({ code: 0, stdout: '{"x":[1.0]}\n', stderr: "" });
		const { stdout } = await run("variables", "get", "a/b c", "--json");
		expect(stdout).toContain('"value":{"x":[1.0]}');
		expect(JSON.parse(stdout)).toMatchObject({ key: "a/b c", metadata: { updatedBy: "operator", size: 11 } });
		expect((await run("variables", "list")).stdout).toMatch(
			/^KEY +SIZE +UPDATED +BY +EXPIRES\na\/b c +11 B +20\S+Z +operator +never\n$/,
		);
		expect(await run("variables", "list", "--prefix", "z")).toEqual({ code: 0, stdout: "", stderr: "" });
		expect((await run("variables", "get", "a/b c", "--namespace", "other")).code).toBe(1);
		expect(await run("variables", "delete", "a/b c")).toEqual({ code: 0, stdout: "", stderr: "" });
		const gone = { code: 1, stdout: "", stderr: 'cronium: There is no variable "a/b c".\n' };
		expect(await run("variables", "delete", "a/b c")).toEqual(gone);
		expect(await run("variables", "get", "a/b c")).toEqual(gone);
	});

	test("a variable that is null is not a missing one", async () => {
		const run = useData();
		await run("variables", "set", "nothing", "null");
		expect(await run("variables", "get", "nothing")).toEqual({ code: 0, stdout: "null\n", stderr: "" });
	});

	test("writes only if the variable is as expected", async () => {
		const run = useData();
		const { stdout } = await run("variables", "set", "a", "1", "--json");
		const { version } = JSON.parse(stdout) as { version: string };
		expect(await run("variables", "set", "a", "2", "--if-absent")).toMatchObject({
			code: 1,
			stderr: expect.stringMatching(/^cronium: /),
		});
		expect(await run("variables", "set", "a", "2", "--if-version", version)).toMatchObject({ code: 0 });
		expect(await run("variables", "set", "a", "3", "--if-version", version)).toMatchObject({ code: 1 });
		expect(await run("variables", "delete", "a", "--if-version", version)).toMatchObject({ code: 1 });
		expect((await run("variables", "get", "a")).stdout).toBe("2\n");
	});

	test("--expires-in sets when it ends", async () => {
		const run = useData();
		await run("variables", "set", "a", "1", "--expires-in", "1h");
		const { stdout } = await run("variables", "list", "--json");
		const [entry] = JSON.parse(stdout) as [{ metadata: { updatedAt: string; expiresAt: string } }];
		const { updatedAt, expiresAt } = entry.metadata;
		expect(Math.abs(Date.parse(expiresAt) - Date.parse(updatedAt) - 3_600_000)).toBeLessThan(1_000);
	});

	test("a key that is not legal ends with 2", async () => {
		const run = useData();
		expect(await run("variables", "get", "..")).toMatchObject({ code: 2, stderr: expect.stringMatching(/^cronium: .*"\.\."/) });
		expect(await run("variables", "set", "k".repeat(300), "1")).toMatchObject({
			code: 2,
			stderr: expect.stringContaining("255"),
		});
	});
});

describe("cronium executions", () => {
	test("list, show and journal tell what a run did", async () => {
		const directory = createDirectory();
		const run = useData(directory);
		const source =
			'import { getVariable, incrementVariable, log, setVariable } from "cronium";\nexport default async () => {\n\tawait getVariable("none");\n\tawait setVariable("text", "\\u001b[1m\\u009b é");\n\tawait log.info("two\\nlines");\n\treturn { runs: await incrementVariable("runs") };\n};\n';
		writeFileSync(join(directory, "count.js"), source);
		expect((await run("run", "count.js")).code).toBe(0);
		writeFileSync(join(directory, "fail.js"), 'throw new TypeError("no\\u001b[2J");');
		expect((await run("run", "fail.js", "--namespace", "other")).code).toBe(1);

		const { stdout: list } = await run("executions", "list");
		expect(list).toMatch(
			/^ID +STATUS +STARTED +TOOK +NAMESPACE +SCRIPT\n\S+ +failed +\S+ +\S+ \S+ +other +fail\.js\n\S+ +succeeded +\S+ +\S+ \S+ +default +count\.js\n$/,
		);
		const { stdout: failed } = await run("executions", "list", "--status", "failed", "--json");
		expect(JSON.parse(failed)).toMatchObject([{ script: { name: "fail.js" }, error: { code: "script-error" } }]);
		const { stdout: own } = await run("executions", "list", "--namespace", "default", "--limit", "1", "--json");
		const [{ id }] = JSON.parse(own) as [{ id: string }];

		const { stdout: shown } = await run("executions", "show", id);
		expect(shown).toMatch(/^Execution +\S+\nScript +count\.js \(\d+ B\)\nStatus +succeeded, exit code 0\n/);
		expect(shown).toContain('Output\n{\n  "runs": 1\n}\n');
		expect(shown).toMatch(/info {2}two\n {2}lines\n$/);
		const { stdout: record } = await run("executions", "show", id, "--json");
		expect(JSON.parse(record)).toMatchObject({ id, status: "succeeded", output: { runs: 1 }, logs: [{ message: "two\nlines" }] });

		const { stdout: journal } = await run("executions", "journal", id, "--json");
		const entries = JSON.parse(journal) as { operation: string }[];
		const operations = ["io.get-input", "variables.get", "variables.set", "log.write", "variables.increment", "io.set-output"];
		expect(entries.map(({ operation }) => operation).filter((operation) => operation !== "io.get-input")).toEqual(
			operations.slice(1),
		);
		const { stdout: table, stderr } = await run("executions", "journal", id);
		expect(stderr).toBe("");
		expect(table).toMatch(/^# +AFTER +CALL +ARGUMENTS +ANSWER\n/);
		expect(table).toMatch(/variables\.get +none +null\n/);
		expect(table).toMatch(/variables\.increment +runs.* 1\n/);
		expect(table + shown + list).not.toMatch(/(?!\n)\p{Cc}/u);

		const { stdout: failedId } = await run("executions", "list", "--status", "failed", "--json");
		const { stdout: failure } = await run("executions", "show", (JSON.parse(failedId) as [{ id: string }])[0].id);
		expect(failure).toMatch(/Error +script-error: no\\u001b\[2J/);
	});

	test("an execution that there is not ends with 1", async () => {
		const run = useData();
		for (const command of ["show", "journal"])
			expect(await run("executions", command, "no\u001bsuch")).toEqual({
				code: 1,
				stdout: "",
				stderr: 'cronium: There is no execution "no\\u001bsuch"; cronium executions list shows those that there are.\n',
			});
	});

	test("an empty store has nothing to list", async () => {
		const run = useData();
		expect(await run("executions", "list")).toEqual({ code: 0, stdout: "", stderr: "" });
		expect(await run("executions", "list", "--json")).toEqual({ code: 0, stdout: "[]\n", stderr: "" });
	});
});
