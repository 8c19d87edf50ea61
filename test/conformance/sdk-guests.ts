import { spawn } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { builtProgram } from "../built-program.ts";
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
export const guestFile = (name: string): string => join(import.meta.dirname, "guests", name);

/** Puts what is built of the SDKs into the directory: guests use what is published, not its sources. */
export function buildSdks(directory: string): void {
	cpSync(join(builtProgram(), "guest-sdks/js/dist"), join(directory, "js"), { recursive: true });
}

/** Starts a guest. `directory` has what `buildSdks` made; the guest's working directory is `cwd`. */
export function startGuest(sdk: Sdk, directory: string, cwd: string): SdkGuest {
	return speakTo(sdk, startProcess(...describeGuest(sdk, directory), cwd));
}

/** The program of a guest, and its arguments. */
function describeGuest(sdk: Sdk, directory: string): [program: string, programArguments: readonly string[]] {
	switch (sdk) {
		case "JavaScript":
			return [process.execPath, [guestFile("javascript.ts"), join(directory, "js/index.js")]];
		case "JavaScript sync":
			return [process.execPath, [guestFile("javascript-sync.ts"), join(directory, "js/sync.cjs")]];
		case "Python":
			return ["python3", ["-B", guestFile("guest.py"), "sync"]];
		case "Python asyncio":
			return ["python3", ["-B", guestFile("guest.py"), "aio"]];
		case "Bash":
			return ["bash", [guestFile("guest.sh"), join(sdkDirectory, "bash/cronium.sh")]];
	}
}

/** How texts reach a guest and come back: the standard streams of its process, wherever that runs. */
export interface GuestChannel {
	readonly requests: Writable;
	readonly answers: Readable;
	/** What went wrong when it has ended; undefined when it ended by itself, after its requests. */
	readonly ended: Promise<string | undefined>;
}

/** Speaks to a guest at the other end of a channel. */
export function speakTo(sdk: Sdk, channel: GuestChannel): SdkGuest {
	return sdk === "Bash" ? speakToBash(channel) : speakJson(channel);
}

/** A message a line, as JSON. */
function speakJson(channel: GuestChannel): SdkGuest {
	const guest = exchange(channel, "\n");
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

/** Messages are commands; all texts of answers end with NUL. */
function speakToBash(channel: GuestChannel): SdkGuest {
	const guest = exchange(channel, "\0");
	const write = (kind: string, text: string): string => `${kind} ${Buffer.byteLength(text)}\n${text}`;
	let leave = "";
	return {
		async enter(environment) {
			await guest.ask(leave + write("enter", bashEnvironment(environment)), 1);
			leave = write("leave", "");
		},
		async perform(call) {
			const [status = "", stdout = "", stderr = "", currentVersion = "", limit = ""] = await guest.ask(
				write("call", bashCall(call)),
				5,
			);
			return readBashResult(call, { status: Number(status), stdout, stderr, currentVersion, limit });
		},
		[Symbol.asyncDispose]: guest.end,
	};
}

function startProcess(program: string, programArguments: readonly string[], cwd: string): GuestChannel {
	const environment = Object.entries(process.env).filter(([name]) => !name.startsWith("CRONIUM_") && name !== "NODE_OPTIONS");
	const child = spawn(program, programArguments, {
		cwd,
		env: { ...Object.fromEntries(environment), PYTHONPATH: join(sdkDirectory, "python"), PYTHONUTF8: "1" },
		stdio: ["pipe", "pipe", "pipe"],
	});
	let said = "";
	child.stderr.setEncoding("utf8").on("data", (text: string) => {
		said = (said + text).slice(-4_000);
	});
	const ended = new Promise<string | undefined>((resolve) => {
		child.once("close", (status) => resolve(status === 0 ? undefined : `${program} ended with status ${status}: ${said}`));
	});
	return { requests: child.stdin, answers: child.stdout, ended };
}

/** Asks a guest, and waits for as many texts as an answer has. */
function exchange({ requests, answers: stream, ended }: GuestChannel, separator: "\n" | "\0") {
	const answers: string[] = [];
	let wake = (): void => undefined;
	const pieces: Buffer[] = [];
	stream.on("data", (chunk: Buffer) => {
		let rest = chunk;
		for (let end = rest.indexOf(separator); end >= 0; end = rest.indexOf(separator)) {
			answers.push(Buffer.concat([...pieces.splice(0), rest.subarray(0, end)]).toString());
			rest = rest.subarray(end + 1);
		}
		pieces.push(rest);
		wake();
	});
	requests.on("error", () => undefined);
	let isGone = false;
	void ended.then(() => {
		isGone = true;
		wake();
	});
	return {
		async ask(message: string, texts: number): Promise<string[]> {
			requests.write(message);
			while (answers.length < texts) {
				if (isGone) throw new Error(`The guest has ended: ${(await ended) ?? "by itself"}`);
				await new Promise<void>((resolve) => {
					wake = resolve;
				});
			}
			return answers.splice(0, texts);
		},
		async end(): Promise<void> {
			requests.end();
			const problem = await ended;
			// That it ends by itself is a promise, too: nothing of an SDK keeps a script alive.
			if (problem !== undefined) throw new Error(`The guest failed: ${problem}`);
		},
	};
}
