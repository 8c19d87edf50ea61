import { describe, expect, test } from "vitest";
import { describeJob, type PlacedScript } from "../host/executors/script-job.ts";
import { scriptFileName } from "../host/placed-files.ts";
import type { ScriptLanguage } from "../host/script-language.ts";

const script = (language: ScriptLanguage, name: string, more: Partial<PlacedScript> = {}): PlacedScript => ({
	language,
	name,
	source: "the source",
	arguments: [],
	files: new Map(),
	...more,
});

describe("the file of a script in its container or on its host", () => {
	test.each<[ScriptLanguage, string, string]>([
		["javascript", "orders.js", "orders.mjs"],
		["javascript", "orders.cjs", "orders.mjs"],
		["javascript", "orders", "orders.mjs"],
		["javascript", "orders.mjs", "orders.mjs"],
		["typescript", "src/orders.ts", "orders.mjs"],
		["typescript", "orders.cts", "orders.mjs"],
		["javascript", "orders.min.js", "orders.min.mjs"],
		["python", "reports/orders.py", "orders.py"],
		["python", "orders", "orders.py"],
		["python", "orders.sh", "orders.sh"],
		["bash", "orders", "orders.sh"],
		["bash", "orders.bash", "orders.bash"],
		["bash", "two words; rm -rf $HOME.sh", "two words; rm -rf $HOME.sh"],
		["bash", "-c", "-c.sh"],
		["bash", "../../etc/passwd", "passwd.sh"],
		["python", "..", "script.py"],
		["python", "/", "script.py"],
		["javascript", ".cronium.mjs", "cronium.mjs"],
		["bash", ".bashrc", "bashrc.sh"],
	])("%s %j is %j", (language, name, file) => {
		expect(scriptFileName(name, language)).toBe(file);
	});

	test.each<ScriptLanguage>(["javascript", "typescript", "python", "bash"])(
		"a long name in %s is cut to what a file system takes, and keeps its extension",
		(language) => {
			for (const name of ["a".repeat(255), "\u{1f600}".repeat(127), `${"é".repeat(252)}.py`, `${"a".repeat(250)}.b.js`]) {
				const file = scriptFileName(name, language);
				expect(Buffer.byteLength(file)).toBeLessThanOrEqual(255);
				expect(file.isWellFormed()).toBe(true);
				expect(file).toMatch(/.\.(?:mjs|py|sh|js)$/);
			}
		},
	);

	test("its interpreter is given it by an absolute path, and the arguments behind it as they are", () => {
		const given = ["--since", "2026-01-01", "", "a\nb", "$(id)"];
		expect(describeJob(script("bash", "-c", { arguments: given }), "/script").command).toEqual([
			"bash",
			"/script/-c.sh",
			...given,
		]);
		expect(describeJob(script("python", "a.py", { arguments: given }), "/script").command).toEqual([
			"python3",
			"/script/a.py",
			...given,
		]);
		expect(describeJob(script("javascript", "a.js", { arguments: given }), "/script").command).toEqual([
			"node",
			"/script/.cronium.mjs",
			"/script/a.mjs",
			...given,
		]);
	});

	test("a script in Bash has line breaks that Bash takes for such, and others stay as they are", () => {
		const source = "echo one\r\necho two\r\n";
		expect(describeJob(script("bash", "a.sh", { source }), "/script").files.get("a.sh")).toBe("echo one\necho two\n");
		expect(describeJob(script("python", "a.py", { source }), "/script").files.get("a.py")).toBe(source);
	});

	test("the files of the run are beside it", () => {
		const files = new Map<string, string | Uint8Array>([["lib/rates.py", new Uint8Array([1])]]);
		expect([...describeJob(script("python", "a.py", { files }), "/script").files]).toEqual([
			["lib/rates.py", new Uint8Array([1])],
			["a.py", "the source"],
		]);
	});
});
