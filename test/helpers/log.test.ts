import { describe, expect, it } from "vitest";
import { readJournal } from "../../host/helpers/journal-reader.ts";
import { failureOf, startRun } from "./run.ts";

describe("the log", () => {
	it("numbers structured and printed lines in one order", async () => {
		const run = await startRun();
		run.helpers.log.write("warn", "one", '{"a":1}', run.call());
		run.print("stdout", "two\nth");
		run.print("stderr", "four\n");
		run.print("stdout", "ree\r\n\n");
		run.print("stderr", "unfinished");
		await run.end();
		expect(run.logs).toEqual([
			{ sequence: 1, at: expect.stringMatching(/^\d{4}-.*Z$/), level: "warn", source: "log", message: "one", fields: '{"a":1}' },
			{ sequence: 2, at: expect.any(String), level: "info", source: "stdout", message: "two" },
			{ sequence: 3, at: expect.any(String), level: "warn", source: "stderr", message: "four" },
			{ sequence: 4, at: expect.any(String), level: "info", source: "stdout", message: "three" },
			{ sequence: 5, at: expect.any(String), level: "info", source: "stdout", message: "" },
			{ sequence: 6, at: expect.any(String), level: "warn", source: "stderr", message: "unfinished" },
		]);
		run.print("stdout", "after the end\n");
		expect(run.logs).toHaveLength(6);
	});

	it("is referred to by the journal", async () => {
		const run = await startRun();
		run.helpers.log.write("info", "secret text", undefined, run.call());
		await run.end();
		const journal = await readJournal(run.store, "run-1");
		expect(journal).toMatchObject([{ operation: "log.write", arguments: { level: "info" }, result: { line: 1 } }]);
		expect(JSON.stringify(journal)).not.toContain("secret");
	});

	it("leaves one marker when it is full, drops and counts later lines, and the run goes on", async () => {
		const run = await startRun({ limits: { maxLogBytes: 300 } });
		for (let index = 0; index < 10; index++) await run.helpers.log.write("info", "x".repeat(30), undefined, run.call());
		run.print("stdout", "a\nb\n");
		expect(run.logs.map(({ source }) => source)).toEqual(["log", "log", "log", "system"]);
		expect(run.logs.at(-1)).toMatchObject({
			level: "warn",
			message: "The log is full: the limit maxLogBytes is 300 bytes. Later lines are dropped.",
		});
		const remainder = await run.end();
		expect(remainder.droppedLogLines).toBe(9);
		expect(remainder.logBytes).toBe(3 * 94);
		expect(remainder.failure).toBeUndefined();
		expect((await readJournal(run.store, "run-1")).map(({ result }) => result).slice(2, 5)).toEqual([
			{ line: 3 },
			{ dropped: true },
			{ dropped: true },
		]);
	});

	it("does not take empty lines for free", async () => {
		const run = await startRun({ limits: { maxLogBytes: 64_000 } });
		run.print("stdout", "\n".repeat(100_000));
		expect(run.logs).toHaveLength(1_001);
		expect((await run.end()).droppedLogLines).toBe(99_000);
	});

	it("cuts long lines on the border of a character, and says so", async () => {
		const run = await startRun({ limits: { maxLogLineBytes: 100 } });
		run.helpers.log.write("info", "😀".repeat(100), undefined, run.call());
		for (let index = 0; index < 1_000; index++) run.print("stdout", "é".repeat(100));
		run.print("stdout", "\nnext\n");
		const [structured, printed, next] = run.logs;
		expect(structured?.message).toMatch(/^(😀)+ \[cut: the limit maxLogLineBytes is 100 bytes\]$/u);
		expect(printed?.message).toMatch(/^é+ \[cut: the limit maxLogLineBytes is 100 bytes\]$/);
		for (const line of [structured, printed]) expect(Buffer.byteLength(line?.message as string)).toBeLessThanOrEqual(100);
		expect(next?.message).toBe("next");
	});

	it("keeps a line that just fits", async () => {
		const run = await startRun({ limits: { maxLogLineBytes: 100 } });
		run.print("stdout", `${"é".repeat(50)}\n${"é".repeat(50)}x\n`);
		expect(run.logs[0]?.message).toBe("é".repeat(50));
		expect(run.logs[1]?.message).toContain("[cut:");
	});

	it("leaves out fields that are too long, and says so", async () => {
		const run = await startRun({ limits: { maxLogLineBytes: 100 } });
		await run.helpers.log.write("info", "text", `{"a":"${"x".repeat(200)}"}`, run.call());
		expect(run.logs[0]?.fields).toBeUndefined();
		expect(run.logs[0]?.message).toBe("text [fields of 208 bytes left out: the limit maxLogLineBytes is 100 bytes]");
	});

	it("turns lone surrogates into replacement characters", async () => {
		const run = await startRun();
		run.print("stdout", "a\ud800b\n");
		expect(run.logs[0]?.message).toBe("a\ufffdb");
	});

	it.each([
		["trace", "m", undefined, 'level must be "debug", "info", "warn" or "error"; it is "trace".'],
		[null, "m", undefined, 'level must be "debug", "info", "warn" or "error"; it is null.'],
		["info", 7, undefined, "message must be a text; it is a number."],
		["info", "m", "[1]", 'fields must be a JSON object; it is "[1]".'],
		["info", "m", "{", 'fields is not JSON: it ends where a member name or "}" should be, at line 1, column 2 (offset 1).'],
		["info", "m", {}, "fields must be a JSON text; it is an object."],
	])("refuses %j, %j, %j", async (level, message, fields, expected) => {
		const run = await startRun();
		const error = await failureOf(() => run.helpers.log.write(level as never, message as never, fields as never, run.call()));
		expect({ code: error.code, message: error.message }).toEqual({ code: "invalid", message: expected });
		expect(run.logs).toEqual([]);
	});
});
