import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { RuntimeError } from "./errors.ts";

/** What the stub answers with. */
export interface StubSettings {
	/** Absent for a run without an input. */
	readonly input?: unknown;
	readonly variables: Readonly<Record<string, unknown>>;
	readonly event: Readonly<Record<string, unknown>>;
	readonly condition: boolean | null;
	/** Where variables are kept between runs. */
	readonly stateFile: string | undefined;
}

const localFile = "cronium.local.json";

/**
 * What was set for the stub; the later sources win: a recorded fixture, `cronium.local.json`, `.env` and the environment (`CRONIUM_STUB_*`). Throws
 * `invalid` naming the source that is malformed.
 */
export function readStubSettings(environment: NodeJS.ProcessEnv): StubSettings {
	const env: NodeJS.ProcessEnv = { ...readDotEnv(".env"), ...withoutEmpty(environment) };
	const given: { [Name in "input" | "variables" | "event" | "condition"]?: unknown } = {};
	const take = (source: Record<string, unknown>, from: string): void => {
		if ("input" in source) given.input = source.input;
		if (source.variables !== undefined)
			given.variables = { ...(given.variables as object), ...requireObject(source.variables, `variables in ${from}`) };
		if (source.event !== undefined) given.event = requireObject(source.event, `event in ${from}`);
		if (source.condition !== undefined) given.condition = requireCondition(source.condition, `condition in ${from}`);
	};
	const { CRONIUM_STUB_FIXTURE: fixture, CRONIUM_STUB_FILE: file } = env;
	if (fixture) {
		const recorded = requireObject(readJsonFile(fixture, "CRONIUM_STUB_FIXTURE"), fixture);
		if (recorded.cronium !== "fixture" || recorded.format !== 1)
			throw new RuntimeError("invalid", `${fixture} is not a fixture of format 1, as cronium run --record writes it.`);
		take(recorded, fixture);
	}
	if (file) take(requireObject(readJsonFile(file, "CRONIUM_STUB_FILE"), file), file);
	else if (existsSync(localFile)) take(requireObject(readJsonFile(localFile, localFile), localFile), localFile);
	const { CRONIUM_STUB_INPUT: input, CRONIUM_STUB_VARIABLES: variables, CRONIUM_STUB_EVENT: event } = env;
	if (input !== undefined) given.input = readValue(input, "CRONIUM_STUB_INPUT");
	if (variables !== undefined) take({ variables: readValue(variables, "CRONIUM_STUB_VARIABLES") }, "CRONIUM_STUB_VARIABLES");
	if (event !== undefined) take({ event: readValue(event, "CRONIUM_STUB_EVENT") }, "CRONIUM_STUB_EVENT");
	const { CRONIUM_STUB_CONDITION: condition, CRONIUM_STUB_STATE: state } = env;
	if (condition !== undefined)
		given.condition = requireCondition(readValue(condition, "CRONIUM_STUB_CONDITION"), "CRONIUM_STUB_CONDITION");
	return {
		...("input" in given && { input: given.input }),
		variables: (given.variables ?? {}) as Record<string, unknown>,
		event: (given.event ?? {}) as Record<string, unknown>,
		condition: (given.condition ?? null) as boolean | null,
		stateFile: state === undefined ? undefined : resolve(state),
	};
}

/** JSON, or `@file`. */
function readValue(text: string, name: string): unknown {
	if (text.startsWith("@")) return readJsonFile(text.slice(1), name);
	try {
		return JSON.parse(text);
	} catch (cause) {
		throw new RuntimeError("invalid", `${name} is not JSON: ${(cause as Error).message}`);
	}
}

/** The value in a JSON file. */
export function readJsonFile(file: string, name: string): unknown {
	let text: string;
	try {
		text = readFileSync(file, "utf8");
	} catch (cause) {
		throw new RuntimeError("invalid", `${name}: ${file} cannot be read (${(cause as NodeJS.ErrnoException).code}).`);
	}
	try {
		return JSON.parse(text);
	} catch (cause) {
		throw new RuntimeError("invalid", `${name}: ${file} is not JSON: ${(cause as Error).message}`);
	}
}

/** `NAME=value` a line; of others than the stub's own nothing is taken. */
function readDotEnv(file: string): NodeJS.ProcessEnv {
	if (!existsSync(file)) return {};
	const found: NodeJS.ProcessEnv = {};
	for (const [index, line] of readFileSync(file, "utf8").split(/\r?\n/).entries()) {
		const [, name, value = ""] = /^\s*(?:export\s+)?(CRONIUM_STUB_\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
		if (name === undefined) continue;
		const quote = value[0];
		if (quote !== "'" && quote !== '"') {
			found[name] = value.replace(/\s+#.*$/, "");
			continue;
		}
		const end = value.lastIndexOf(quote);
		if (end === 0) throw new RuntimeError("invalid", `${file}, line ${index + 1}: the value of ${name} has no closing quote.`);
		const inner = value.slice(1, end);
		found[name] = quote === "'" ? inner : inner.replace(/\\(["\\$`])/g, "$1").replaceAll("\\n", "\n");
	}
	return withoutEmpty(found);
}

function withoutEmpty(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
	return Object.fromEntries(
		Object.entries(environment).filter(([name, value]) => name.startsWith("CRONIUM_STUB_") && value !== ""),
	);
}

function requireObject(value: unknown, name: string): Record<string, unknown> {
	if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
	throw new RuntimeError("invalid", `${name} must be a JSON object.`);
}

function requireCondition(value: unknown, name: string): boolean | null {
	if (typeof value === "boolean" || value === null) return value;
	throw new RuntimeError("invalid", `${name} must be true, false or null.`);
}
