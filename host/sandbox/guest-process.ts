/**
 * The process that runs scripts, one at a time, and has no rights: no environment, files, sockets or threads, neither keys nor the store. All
 * that a script may do is asked of the host, which has the helpers. It may be killed at any moment.
 */
import "./confined.ts";
import { type ProblemDetails, RuntimeError } from "../contract/errors.ts";
import { operations } from "../contract/generated/operations.ts";
import type { ErrorCode } from "../contract/generated/types.ts";
import type { Limits } from "../contract/limits.ts";
import { programFiles } from "../program-files.ts";
import {
	type EngineName,
	type FetchRequest,
	type FetchResponse,
	type GuestExecution,
	type GuestFile,
	type RemoteHelpers,
	requireJavaScriptEngine,
	type Script,
	type Surroundings,
} from "./engine.ts";
import { createEngine, engineChoice } from "./engines.ts";
import { type Frame, guestFrames, hostFrames, maxPrintedCharacters } from "./guest-frames.ts";
import { GuestLine } from "./guest-line.ts";
import { LineLimit } from "./line-limit.ts";
import { stopCells } from "./script-worker.ts";
import type { Seed } from "./seed.ts";
import { stopError } from "./stop-error.ts";
import type { WorkerStop } from "./worker.ts";

/** What a guest process is told of a run: nothing that says whose it is. */
export interface GuestOrder {
	readonly name: string;
	readonly engine: EngineName;
	readonly seed: Seed;
	readonly limits: Limits;
	/** Milliseconds since the Unix epoch. */
	readonly deadlineAt: number;
	/** Whether the run was given hosts. */
	readonly mayFetch: boolean;
	readonly arguments?: readonly string[];
	/** The file with the image of Python, for a run that needs it. */
	readonly pythonImage?: string;
}

const stop = new Int32Array(1);
/** Calls and fetches that wait for their answer. Ids are never used twice: an answer that comes too late finds nobody. */
const waiting = new Map<number, (text: string) => void>();
let lastId = 0;
/** Of the run that comes next. */
let files: GuestFile[] = [];
let current: { readonly abort: AbortController; readonly limits: Limits } | undefined;

const line = new GuestLine(onNews);
const first = requireJavaScriptEngine(process.argv[2]);
const { images } = programFiles;
const engineOf = engineChoice(await createEngine(first, { images }), { images });
tell(guestFrames.ready, "");

function onNews({ type, id, head, tail }: Frame): void {
	if (type === hostFrames.settled) {
		const settle = waiting.get(id);
		waiting.delete(id);
		settle?.(head);
	} else if (type === hostFrames.stop) {
		if (!current) return;
		const reason = head as WorkerStop["reason"];
		stop[0] = stopCells[reason];
		current.abort.abort(stopError(reason, current.limits));
	} else if (type === hostFrames.file) files.push({ path: head, content: Buffer.from(tail ?? "", "base64") });
	else run(JSON.parse(head) as GuestOrder, tail ?? "").catch((cause: unknown) => tell(guestFrames.broken, String(cause)));
}

async function run(order: GuestOrder, source: string): Promise<void> {
	const { name, engine: engineName, seed, limits, deadlineAt, mayFetch, arguments: given, pythonImage } = order;
	const script: Script = { name, source, files, ...(given && { arguments: given }) };
	files = [];
	const abort = new AbortController();
	current = { abort, limits };
	stop[0] = 0;
	try {
		const engine = await engineOf(engineName, { ...(pythonImage !== undefined && { pythonImage }) });
		const execution: GuestExecution = { limits, deadlineAt, signal: abort.signal };
		const surroundings: Surroundings = {
			seed,
			print: createPrinter(limits),
			onPoll: () => line.poll(),
			...(mayFetch && { fetch }),
		};
		const { returned, ...result } = await engine.run(script, execution, helpers, surroundings, stop);
		tell(guestFrames.ended, JSON.stringify(result), returned);
		engine.tidy();
	} finally {
		current = undefined;
		waiting.clear();
	}
}

const helpers: RemoteHelpers = {
	call(operation, params, body) {
		const id = ++lastId;
		const number = operations.indexOf(operation);
		const answer = ask({ type: guestFrames.call, id, number, head: params, tail: body });
		return answer.type === hostFrames.answer ? answer.head : settled(id);
	},
};

async function fetch({ url, method, headers, redirect, body }: FetchRequest, signal: AbortSignal): Promise<FetchResponse> {
	const id = ++lastId;
	const head = JSON.stringify([url, method, headers, redirect]);
	const answer = ask({ type: guestFrames.fetch, id, number: 0, head, tail: body });
	const text = answer.type === hostFrames.answer ? answer.head : await unlessAborted(id, signal);
	if (text.startsWith("!")) throw readError(text.slice(1));
	return JSON.parse(text) as FetchResponse;
}

/** An error that only says that the run is over must not be what the script ends with: so the engine knows first. */
function ask(frame: Frame): Frame {
	const answer = line.ask(frame);
	if (answer.number !== 0) stop[0] = answer.number;
	return answer;
}

function settled(id: number): Promise<string> {
	return new Promise((resolve) => waiting.set(id, resolve));
}

function unlessAborted(id: number, signal: AbortSignal): Promise<string> {
	return new Promise((resolve, reject) => {
		const leave = (): void => {
			waiting.delete(id);
			line.say({ type: guestFrames.cancel, id, number: 0, head: "" });
			reject(signal.reason);
		};
		if (signal.aborted) return leave();
		signal.addEventListener("abort", leave, { once: true });
		waiting.set(id, (text) => {
			signal.removeEventListener("abort", leave);
			resolve(text);
		});
	});
}

function readError(text: string): RuntimeError {
	const { code, message, details } = JSON.parse(text) as { code: ErrorCode; message: string; details: ProblemDetails };
	return new RuntimeError(code, message, details);
}

/** Prints until the log is full: from then on nothing is worth a word. */
function createPrinter({ maxLogLineBytes }: Limits): Surroundings["print"] {
	const lines = { stdout: new LineLimit(maxLogLineBytes), stderr: new LineLimit(maxLogLineBytes) };
	let isFull = false;
	return (source, text) => {
		if (isFull) return;
		const kept = lines[source].take(text);
		for (let start = 0; start < kept.length && !isFull; start += maxPrintedCharacters) {
			const head = kept.slice(start, start + maxPrintedCharacters);
			const number = source === "stdout" ? 0 : 1;
			isFull = ask({ type: guestFrames.print, id: 0, number, head }).head === "full";
		}
	};
}

function tell(type: number, head: string, tail?: string): void {
	line.say({ type, id: 0, number: 0, head, tail });
}
