import type { Operation } from "../contract/generated/operations.ts";
import type { Answer, Helpers, Json } from "../contract/generated/types.ts";
import { oneOf } from "../contract/shapes.ts";
import type { Execution, Failure, LogLine } from "../execution.ts";
import type { Seed } from "./seed.ts";

/** A script ready for an engine: one JavaScript module, types already stripped, imports already bundled; or one file of Python. */
export interface Script {
	/** The name its author knows it by, such as `orders.ts`: shown in stacks; never a host path. */
	readonly name: string;
	readonly source: string;
	/** Python: what it finds beside itself, modules and wheels among them. */
	readonly files?: readonly GuestFile[];
	/** Python: `sys.argv` behind the name. */
	readonly arguments?: readonly string[];
	/** Maps positions in `source` back to the author's files; untrusted. Absent when the positions are the author's own. */
	readonly sourceMap?: string;
}

/** A file of a guest's own file system. */
export interface GuestFile {
	/** Relative to the directory of the script: `lib/rates.py`. */
	readonly path: string;
	readonly content: Uint8Array;
}

/** What an engine has to know of a run. */
export type GuestExecution = Pick<Execution, "limits" | "deadlineAt" | "traceparent" | "signal">;

/** Helpers that are in another process: a call goes there in the texts that the guest has written, and is decoded where its meaning is known. */
export interface RemoteHelpers {
	/** Answers with JSON, empty for nothing; an error is JSON behind a `!`. */
	readonly call: (operation: Operation, params: string, body: string | undefined) => Answer<string>;
}

/** What a script can reach besides the contract; each is a capability the worker hands in. */
export interface Surroundings {
	readonly seed: Seed;
	/** Takes what the script prints. Never throws. */
	readonly print: (source: Extract<LogLine["source"], "stdout" | "stderr">, text: string) => void;
	/**
	 * Answers `fetch`. Absent: every call is refused. `request` and the answer are plain data; rejects with RuntimeError.
	 */
	readonly fetch?: (request: FetchRequest, signal: AbortSignal) => Promise<FetchResponse>;
	/** Called whenever the engine is about to look at `stop`, for a host that has to fetch the news itself. Cheap: that is often. */
	readonly onPoll?: () => void;
}

export interface FetchRequest {
	readonly url: string;
	readonly method: string;
	readonly headers: readonly (readonly [string, string])[];
	/** Base64. */
	readonly body?: string;
	readonly redirect: "follow" | "error" | "manual";
}

export interface FetchResponse {
	readonly url: string;
	readonly status: number;
	readonly statusText: string;
	readonly redirected: boolean;
	readonly headers: readonly (readonly [string, string])[];
	/** Base64. */
	readonly body: string;
}

/** How a script ended. A guest's failure is a value; `run` rejects only when the host misused the engine or the engine is broken. */
export interface GuestResult {
	/** What the default function returned, as JSON text; absent for `undefined` or when there is no such function. */
	readonly returned?: Json;
	readonly failure?: Failure;
	/** The script's own, in a language that has one. */
	readonly exitCode?: number;
	readonly usage: { readonly cpuTimeMs: number; readonly memoryBytes: number; readonly hostCalls: number };
}

/**
 * Runs untrusted scripts in one thread, one at a time. Each run gets an instance of its own whose memory, globals, tables,
 * timers and outstanding calls end with it.
 */
export interface Engine extends Disposable {
	readonly name: EngineName;
	/**
	 * Runs the script until its module and, if it exports one, its default function (called with the input) have settled.
	 * `stop` is a shared cell the main thread writes to: 0 go on, 1 cancelled, 2 over the deadline, 3 over the limit of processor time; polled from inside guest loops.
	 */
	run(
		script: Script,
		execution: GuestExecution,
		helpers: Helpers | RemoteHelpers,
		surroundings: Surroundings,
		stop: Int32Array,
	): Promise<GuestResult>;
}

/** The engines of JavaScript, of which a run may name one. */
export const javascriptEngines = ["quickjs-wasi", "quickjs-emscripten"] as const;
export type JavaScriptEngine = (typeof javascriptEngines)[number];
export const engineNames = [...javascriptEngines, "python"] as const;
export type EngineName = (typeof engineNames)[number];

export function requireJavaScriptEngine(engine: unknown): JavaScriptEngine {
	return oneOf(engine, "engine", javascriptEngines);
}
