import { writeSync } from "node:fs";
import { RuntimeError } from "./errors.ts";
import { toJsonText } from "./json.ts";
import type { Operation } from "./operation.ts";
import { toCall } from "./requests.ts";
import { readStubSettings, type StubSettings } from "./stub-sources.ts";
import { requireSize, StubVariables } from "./stub-variables.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to be escaped.
const unsafe = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const notice = "no connection is configured; this is the stub (nothing leaves this process)";

/** Stands in for the runtime while a script is written: the same answers and errors, from files and the environment. */
export class Stub {
	readonly #settings: StubSettings;
	readonly #variables: StubVariables;
	readonly #startedAt = Date.now();
	#condition: boolean | null;

	constructor(environment: NodeJS.ProcessEnv) {
		print(notice);
		this.#settings = readStubSettings(environment);
		this.#variables = new StubVariables(this.#settings.variables, this.#settings.stateFile);
		this.#condition = this.#settings.condition;
	}

	/** Does what the runtime would, and returns what it would answer. */
	perform(operation: Operation, given: readonly unknown[]): unknown {
		// Arguments that have no form in a request are refused as they would be there.
		toCall(operation, given);
		const [first, second, third] = given;
		switch (operation.id) {
			case "io.get-input":
				return structuredClone(this.#settings.input ?? null);
			case "io.set-output": {
				const text = toJsonText(first, "value");
				requireSize(text, "output", "maxOutputBytes");
				return print(`output ${text}`);
			}
			case "variables.get":
				return this.#variables.find(first)?.value ?? null;
			case "variables.get-entry":
				return this.#variables.find(first) ?? null;
			case "variables.set": {
				const text = toJsonText(second, "value");
				const version = this.#variables.set(first, text, (third ?? {}) as object);
				print(`variable ${JSON.stringify(first)} = ${text}`);
				return version;
			}
			case "variables.delete": {
				const deleted = this.#variables.delete(first, (second ?? {}) as object);
				if (deleted) print(`variable ${JSON.stringify(first)} deleted`);
				return deleted;
			}
			case "variables.list":
				return this.#variables.list((first ?? {}) as object);
			case "variables.increment": {
				const sum = this.#variables.increment(first, second);
				print(`variable ${JSON.stringify(first)} = ${sum}`);
				return sum;
			}
			case "condition.set":
				if (typeof first !== "boolean") throw new RuntimeError("invalid", "value must be true or false.");
				this.#condition = first;
				return print(`condition ${first}`);
			case "condition.get":
				return this.#condition;
			case "event.get-context":
				return { ...structuredClone(this.#settings.event), execution: this.#describeRun() };
			case "log.write":
				return this.#log(first, second, third);
			default:
				throw new RuntimeError("unsupported", `The stub does not have ${operation.name}.`);
		}
	}

	#describeRun(): object {
		const time = (at: number): string => new Date(at).toISOString();
		return {
			id: "stub",
			namespace: "stub",
			mode: "external",
			attempt: 1,
			startedAt: time(this.#startedAt),
			deadlineAt: time(this.#startedAt + 86_400_000),
		};
	}

	#log(level: unknown, message: unknown, fields: unknown): void {
		if (!["debug", "info", "warn", "error"].includes(level as string))
			throw new RuntimeError("invalid", 'level must be "debug", "info", "warn" or "error".');
		if (typeof message !== "string") throw new RuntimeError("invalid", "message must be a text.");
		if (fields !== undefined && (typeof fields !== "object" || fields === null || Array.isArray(fields)))
			throw new RuntimeError("invalid", "fields must be a JSON object.");
		print(`${level} ${message}${fields === undefined ? "" : ` ${toJsonText(fields, "fields")}`}`);
	}
}

/** At once, also when the process ends right afterwards. Nothing in it can drive a terminal. */
function print(text: string): undefined {
	const escaped = text.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
	const bytes = Buffer.from(`cronium: ${escaped}\n`);
	for (let offset = 0; offset < bytes.length; ) {
		try {
			offset += writeSync(2, bytes, offset);
		} catch (cause) {
			if ((cause as NodeJS.ErrnoException).code !== "EAGAIN") return undefined;
		}
	}
	return undefined;
}
