import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe } from "vitest";
import type { StepResult } from "../conformance/conformance-case.ts";
import type { GuestCall } from "../conformance/guest-step.ts";
import { buildSdks, type Sdk, type SdkGuest, sdks, startGuest } from "../conformance/sdk-guests.ts";

/** A running guest with one of the SDKs. */
export interface Guest {
	readonly sdk: Sdk;
	/** Its working directory, empty. */
	readonly directory: string;
	/** Begins anew with these settings. */
	enter(environment: Readonly<Record<string, string>>): Promise<void>;
	/** What a call returned; rejects with a `GuestError` when it failed. */
	call(name: string, ...given: readonly unknown[]): Promise<unknown>;
	/** The same call by several callers at one time. */
	callTogether(lanes: number, name: string, ...given: readonly unknown[]): Promise<unknown>;
	/** A script of its own, which asks for its input and catches nothing: its status, and all that it has printed. */
	runUncaught(
		environment: Readonly<Record<string, string>>,
	): Promise<{ readonly status: number | null; readonly output: string }>;
}

const sdkDirectory = join(import.meta.dirname, "../../guest-sdks");

/** The command of a script that asks for its input. */
const uncaught: Readonly<Record<Sdk, (built: string) => readonly [string, ...string[]]>> = {
	JavaScript: (built) => [process.execPath, "-e", `import("${join(built, "js/index.js")}").then((sdk) => sdk.getInput())`],
	"JavaScript sync": (built) => [process.execPath, "-e", `require("${join(built, "js/sync.cjs")}").getInput()`],
	Python: () => ["python3", "-B", "-c", "import cronium; cronium.get_input()"],
	"Python asyncio": () => ["python3", "-B", "-c", "import asyncio; from cronium import aio; asyncio.run(aio.get_input())"],
	Bash: () => ["bash", "--norc", "-c", `source ${join(sdkDirectory, "bash/cronium.sh")}; cronium_get_input`],
};

/** What the SDK of a guest has said of a failure. */
export class GuestError extends Error {
	readonly code: string;

	constructor(code: string, message: string) {
		super(message);
		this.code = code;
	}
}

/** Tests that every SDK has to pass: one process for each of them. */
export function forEverySdk(define: (guest: Guest) => void): void {
	describe.each(sdks)("%s", (sdk) => {
		const directory = mkdtempSync(join(tmpdir(), "cronium-sdk-"));
		let guest: SdkGuest;
		beforeAll(() => {
			buildSdks(join(directory, "built"));
			guest = startGuest(sdk, join(directory, "built"), directory);
		}, 60_000);
		afterAll(async () => {
			await guest[Symbol.asyncDispose]();
			rmSync(directory, { recursive: true, force: true });
		});
		const perform = async (call: GuestCall): Promise<unknown> => read(await guest.perform(call));
		define({
			sdk,
			directory,
			enter: (environment) => guest.enter(environment),
			call: (name, ...given) => perform({ name, arguments: given }),
			callTogether: (lanes, name, ...given) => perform({ name, arguments: given, lanes, times: 1 }),
			async runUncaught(environment) {
				const [program, ...words] = uncaught[sdk](join(directory, "built"));
				const child = spawn(program, words, {
					cwd: directory,
					env: { PATH: process.env.PATH ?? "", PYTHONPATH: join(sdkDirectory, "python"), ...environment },
					stdio: ["ignore", "pipe", "pipe"],
				});
				const [stdout, stderr, status] = await Promise.all([
					text(child.stdout),
					text(child.stderr),
					new Promise<number | null>((resolve) => child.once("close", resolve)),
				]);
				return { status, output: stdout + stderr };
			},
		});
	});
}

function read(result: StepResult): unknown {
	if ("error" in result) throw new GuestError(result.error.code, result.error.message);
	return JSON.parse(result.text) as unknown;
}
