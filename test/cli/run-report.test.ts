import { expect, onTestFinished, test, vi } from "vitest";
import { printEnd } from "../../host/cli/run-report.ts";

function printed(stack: string): string {
	const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
	onTestFinished(() => void write.mockRestore());
	const error = { code: "script-error", message: "Error: wrong", stack } as const;
	const usage = { wallTimeMs: 1, cpuTimeMs: 1, memoryBytes: 1, hostCalls: 0, logBytes: 0 };
	printEnd({ executionId: "e", status: "failed", exitCode: 1, condition: null, logs: [], usage, error });
	return String(write.mock.calls[0]?.[0]);
}

test("the frames of a stack are as far apart as they were, behind the margin that all have", () => {
	expect(printed('    File "a.py", line 1\n\n      wrong()\n')).toBe(
		'cronium: Error: wrong\n  File "a.py", line 1\n    wrong()\n',
	);
});

test("a stack has as many frames as a guest process cares to say", () => {
	expect(printed("at a\n".repeat(200_000)).split("\n")).toHaveLength(200_002);
});
