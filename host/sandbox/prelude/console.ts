import { sandboxOperations } from "../sandbox-operations.ts";
import { callNow, nothing } from "./calls.ts";
import { performance } from "./clock.ts";
import { ownFrames } from "./describe.ts";
import { format } from "./format.ts";
import { type InspectOptions, inspect } from "./inspect.ts";
import { formatTable } from "./table.ts";

type Stream = "stdout" | "stderr";

let indentation = "";
const counts = new Map<string, number>();
const times = new Map<string, number>();

function print(stream: Stream, text: string): void {
	const lines = indentation === "" ? text : indentation + text.replaceAll("\n", `\n${indentation}`);
	callNow(sandboxOperations.print, `["${stream}"]`, `${lines}\n`, nothing);
}

const printTo =
	(stream: Stream) =>
	(...args: unknown[]): void =>
		print(stream, format(args));

const log = printTo("stdout");
const error = printTo("stderr");

function group(...label: unknown[]): void {
	if (label.length > 0) log(...label);
	indentation += "  ";
}

/** How long since `label` was started; undefined and a warning when it was not. */
function elapsed(label: string, method: string): string | undefined {
	const start = times.get(label);
	if (start === undefined) {
		error(`Warning: No such label '${label}' for console.${method}()`);
		return undefined;
	}
	const milliseconds = performance.now() - start;
	if (milliseconds < 1000) return `${milliseconds}ms`;
	if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(3)}s`;
	const seconds = (milliseconds % 60_000) / 1000;
	return `${Math.floor(milliseconds / 60_000)}:${seconds.toFixed(3).padStart(6, "0")} (m:ss.mmm)`;
}

/** The console, formatted as Node's. Lines go to the captured standard output and standard error of the run. */
export const console = {
	log,
	info: log,
	debug: log,
	warn: error,
	error,
	dirxml: log,
	trace(...args: unknown[]): void {
		const frames = ownFrames(new Error().stack ?? "");
		const message = format(args);
		const title = message === "" ? "Trace" : `Trace: ${message}`;
		print("stderr", frames === "" ? title : `${title}\n    ${frames.replaceAll("\n", "\n    ")}`);
	},
	assert(condition?: unknown, ...args: unknown[]): void {
		if (condition) return;
		if (typeof args[0] === "string") args[0] = `Assertion failed: ${args[0]}`;
		else args.unshift("Assertion failed");
		error(...args);
	},
	dir: (value?: unknown, options?: InspectOptions): void => print("stdout", inspect(value, { customInspect: false, ...options })),
	table(data?: unknown, properties?: readonly string[]): void {
		if (properties !== undefined && !Array.isArray(properties))
			throw new TypeError(`The "properties" argument must be an array, not ${typeof properties}`);
		const text = formatTable(data, properties);
		if (text === undefined) log(data);
		else print("stdout", text);
	},
	count(label: unknown = "default"): void {
		const name = `${label}`;
		const count = (counts.get(name) ?? 0) + 1;
		counts.set(name, count);
		log(`${name}: ${count}`);
	},
	countReset(label: unknown = "default"): void {
		if (!counts.delete(`${label}`)) error(`Warning: Count for '${label}' does not exist`);
	},
	time(label: unknown = "default"): void {
		const name = `${label}`;
		if (times.has(name)) error(`Warning: Label '${name}' already exists for console.time()`);
		else times.set(name, performance.now());
	},
	timeLog(label: unknown = "default", ...data: unknown[]): void {
		const text = elapsed(`${label}`, "timeLog");
		if (text !== undefined) log(`${label}: ${text}`, ...data);
	},
	timeEnd(label: unknown = "default"): void {
		const text = elapsed(`${label}`, "timeEnd");
		if (text === undefined) return;
		log(`${label}: ${text}`);
		times.delete(`${label}`);
	},
	group,
	groupCollapsed: group,
	groupEnd(): void {
		indentation = indentation.slice(2);
	},
	clear(): void {},
};
