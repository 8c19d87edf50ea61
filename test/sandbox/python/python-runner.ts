import { expect } from "vitest";
import type { GuestFile, GuestResult } from "../../../host/sandbox/engine.ts";
import { clonePythonImage } from "../../python-image.ts";
import { createScriptRunner, type RunOptions, type ScriptRunner } from "../engines/script-runner.ts";

export async function createPythonRunner(): Promise<ScriptRunner> {
	return createScriptRunner("python", { pythonImage: await clonePythonImage() });
}

/** Runs a script called `orders.py`, without the indentation that it has in a test. */
export function runPython(runner: ScriptRunner, source: string, options: RunOptions = {}): Promise<GuestResult> {
	return runner.run(dedent(source), { name: "orders.py", ...options });
}

/** The lines that a script prints which ends well. */
export async function printedBy(runner: ScriptRunner, source: string, options: RunOptions = {}): Promise<string[]> {
	const { failure, exitCode } = await runPython(runner, source, options);
	expect({ failure, exitCode }).toEqual({ failure: undefined, exitCode: 0 });
	return runner.printed.replace(/\n$/, "").split("\n");
}

export const textFile = (path: string, text: string): GuestFile => ({ path, content: Buffer.from(dedent(text)) });

function dedent(text: string): string {
	const [, indentation = ""] = /^\n([\t ]*)/.exec(text) ?? [];
	return text
		.split("\n")
		.map((line) => (line.startsWith(indentation) ? line.slice(indentation.length) : line))
		.join("\n")
		.replace(/^\n/, "");
}
