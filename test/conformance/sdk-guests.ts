import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import type { StepResult } from "./conformance-case.ts";
import { type GuestCall, toLine } from "./guest-step.ts";
import { bashCall, bashEnvironment, readBashResult } from "./guests/bash.ts";

/** The SDKs as conformance runs them, in the order of the matrix. */
export const sdks = ["JavaScript", "JavaScript sync", "Python", "Python asyncio", "Bash"] as const;
export type Sdk = (typeof sdks)[number];

/** One process that performs calls with one SDK, for one run after another. */
export interface SdkGuest extends AsyncDisposable {
	/** Begins with a new client, connected by this environment. */
	enter(environment: Readonly<Record<string, string>>): Promise<void>;
	perform(call: GuestCall): Promise<StepResult>;
}

const sdkDirectory = join(import.meta.dirname, "../../guest-sdks");
const guestFile = (name: string): string => join(import.meta.dirname, "guests", name);

/** Builds what is built of the SDKs into the directory: guests use what is published, not its sources. */
export function buildSdks(directory: string): void {
	execFileSync(process.execPath, [join(sdkDirectory, "js/build.ts"), join(directory, "js")]);
}

/** Starts a guest. `directory` has what `buildSdks` made; the guest's working directory is `cwd`. */
export function startGuest(sdk: Sdk, directory: string, cwd: string): SdkGuest {
	switch (sdk) {
		case "JavaScript":
			return startJsonGuest(process.execPath, [guestFile("javascript.ts"), join(directory, "js/index.js")], cwd);
		case "JavaScript sync":
			return startJsonGuest(process.execPath, [guestFile("javascript-sync.ts"), join(directory, "js/sync.cjs")], cwd);
		case "Python":
			return startJsonGuest("python3", ["-B", guestFile("guest.py"), "sync"], cwd);
		case "Python asyncio":
			return startJsonGuest("python3", ["-B", guestFile("guest.py"), "aio"], cwd);
		case "Bash":
			return startBashGuest(cwd);
	}
}

/** A message a line, as JSON. */
function startJsonGuest(program: string, programArguments: readonly string[], cwd: string): SdkGuest {
	const guest = startProcess(program, programArguments, cwd, "\n");
	return {
		async enter(environment) {
			await guest.ask(toLine({ environment }), 1);
		},
		async perform(call) {
			const [line = ""] = await guest.ask(toLine(call), 1);
			return JSON.parse(line) as StepResult;
		},
		[Symbol.asyncDispose]: guest.end,
	};
}

/** Messages are commands; all texts end with NUL. */
function startBashGuest(cwd: string): SdkGuest {
	const guest = startProcess("bash", [guestFile("guest.sh"), join(sdkDirectory, "bash/cronium.sh")], cwd, "\0");
	let leave = "";
	return {
		async enter(environment) {
			await guest.ask(`${leave}enter\0${bashEnvironment(environment)}\0`, 1);
			leave = "leave\0\0";
		},
		async perform(call) {
			const [status = "", stdout = "", stderr = "", currentVersion = "", limit = ""] = await guest.ask(
				`call\0${bashCall(call)}\0`,
				5,
			);
			return readBashResult(call, { status: Number(status), stdout, stderr, currentVersion, limit });
		},
		[Symbol.asyncDispose]: guest.end,
	};
}

/** Asks a process, and waits for as many texts as an answer has. */
function startProcess(program: string, programArguments: readonly string[], cwd: string, separator: "\n" | "\0") {
	const environment = Object.entries(process.env).filter(([name]) => !name.startsWith("CRONIUM_") && name !== "NODE_OPTIONS");
	const child = spawn(program, programArguments, {
		cwd,
		env: { ...Object.fromEntries(environment), PYTHONPATH: join(sdkDirectory, "python"), PYTHONUTF8: "1" },
		stdio: ["pipe", "pipe", "pipe"],
	});
	const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
	let said = "";
	child.stderr.setEncoding("utf8").on("data", (text: string) => {
		said = (said + text).slice(-4_000);
	});
	const answers: string[] = [];
	let wake = (): void => undefined;
	const pieces: Buffer[] = [];
	child.stdout.on("data", (chunk: Buffer) => {
		let rest = chunk;
		for (let end = rest.indexOf(separator); end >= 0; end = rest.indexOf(separator)) {
			answers.push(Buffer.concat([...pieces.splice(0), rest.subarray(0, end)]).toString());
			rest = rest.subarray(end + 1);
		}
		pieces.push(rest);
		wake();
	});
	child.stdin.on("error", () => undefined);
	let isGone = false;
	void closed.then(() => {
		isGone = true;
		wake();
	});
	return {
		async ask(message: string, texts: number): Promise<string[]> {
			child.stdin.write(message);
			while (answers.length < texts) {
				if (isGone) throw new Error(`The guest ${program} has ended: ${said}`);
				await new Promise<void>((resolve) => {
					wake = resolve;
				});
			}
			return answers.splice(0, texts);
		},
		async end(): Promise<void> {
			child.stdin.end();
			const status = await closed;
			// That it ends by itself is a promise, too: nothing of an SDK keeps a script alive.
			if (status !== 0) throw new Error(`The guest ${program} ended with status ${status}: ${said}`);
		},
	};
}
