import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { excerpt } from "../contract/excerpt.ts";
import type { Limits } from "../contract/limits.ts";
import { programFiles } from "../program-files.ts";
import type { Store } from "../store/store.ts";
import { requireLiteralPath, spawnConfined } from "./confinement.ts";
import type { EngineName, GuestResult } from "./engine.ts";
import {
	encodeFrame,
	type Frame,
	FrameReader,
	guestFrames,
	hostFrames,
	maxGuestFrameBytes,
	maxPrintedCharacters,
} from "./guest-frames.ts";
import type { GuestOrder } from "./guest-process.ts";
import { readGuestReport } from "./guest-report.ts";
import { HostedRun } from "./hosted-run.ts";
import {
	type Job,
	type JobEnd,
	type ScriptWorker,
	type StartWorker,
	stopCells,
	untilEnded,
	type WorkerEvents,
	watchCpuTime,
} from "./script-worker.ts";

export interface ProcessWorkerOptions {
	readonly engine: EngineName;
	readonly limits: Limits;
	readonly store: Promise<Store>;
	/** Where the image of Python is, or will be: a guest reads it. */
	readonly pythonImages: string;
	/** What runs in the process; `guest-process.ts` when not given. */
	readonly program?: URL;
}

/**
 * Workers that are processes without rights, one script at a time each. The helpers of their runs are in this thread, so that a guest's process needs
 * neither the store nor the network. Throws `unavailable` when the directory of Python's images has a path that Node's permission model would take for several.
 */
export function processWorkers(options: ProcessWorkerOptions): StartWorker {
	requireLiteralPath(options.pythonImages);
	return (events) => new ProcessWorker(options, events);
}

/** Frames of one guest that are served before the event loop turns. */
const maxFramesInTurn = 16;
/** Answers that a guest has not taken yet. Over the first the host reads no more of what it asks; over the second, of what comes by itself, the guest goes. */
const maxUnreadAnswers = 1024 * 1024;
const maxUnreadNews = 256 * 1024 * 1024;
/** What is kept of standard error, to say why a process has ended. */
const maxStderrCharacters = 4096;

/** How a guest's part of a job ended. */
type GuestEnd = { readonly type: "ended"; readonly result: GuestResult } | Exclude<JobEnd, { readonly type: "ended" }>;

/** One process and the job it has. */
class ProcessWorker implements ScriptWorker {
	state: ScriptWorker["state"] = "starting";
	readonly engines: Set<EngineName>;
	readonly #child: ChildProcess;
	readonly #requests: Socket;
	readonly #news: Socket;
	readonly #frames = new FrameReader(maxGuestFrameBytes);
	readonly #exited: Promise<void>;
	readonly #graceMs: number;
	readonly #events: WorkerEvents;
	readonly #opened: Promise<void>;
	/** There when the store is open. */
	#store: Store | undefined;
	#stderr = "";
	#run: HostedRun | undefined;
	#stopCell = 0;
	#settle: ((end: GuestEnd) => void) | undefined;

	constructor(options: ProcessWorkerOptions, events: WorkerEvents) {
		const { engine, limits, store, pythonImages, program = programFiles.guestProcess } = options;
		this.engines = new Set([engine]);
		this.#graceMs = limits.cancelGraceMs;
		this.#events = events;
		this.#child = spawnConfined(program, [engine], [pythonImages]);
		// So it is when there are no descriptors left.
		if (this.#child.stdio === undefined) {
			this.#child.once("error", () => undefined);
			throw new Error("A guest process cannot be started: the system has no descriptors left.");
		}
		const [, , stderr, requests, news] = this.#child.stdio as unknown as [null, null, Socket, Socket, Socket];
		this.#requests = requests;
		this.#news = news;
		this.#opened = store.then(
			(opened) => {
				this.#store = opened;
			},
			() => this.terminate(),
		);
		// Whoever waits for a run keeps the process alive; a worker does not.
		this.#child.unref();
		for (const socket of [stderr, requests, news]) {
			socket.unref();
			// That the other end is gone is known by the process's exit.
			socket.on("error", () => undefined);
		}
		stderr.setEncoding("utf8").on("data", (text: string) => {
			this.#stderr = (this.#stderr + text).slice(-maxStderrCharacters);
		});
		requests.on("data", (chunk: Buffer) => this.#hear(chunk));
		requests.on("drain", () => this.#serveWaiting());
		this.#child.once("exit", () => {
			requests.destroy();
			news.destroy();
		});
		this.#exited = new Promise((resolve) => {
			// When standard error has been read.
			this.#child.once("close", () => resolve(this.#leave(describeExit(this.#child, this.#stderr))));
			this.#child.once("error", (error) => resolve(this.#leave(error.message)));
		});
	}

	async run(job: Job): Promise<JobEnd> {
		if (!this.#store) throw new Error("The worker is not ready.");
		// What throws here leaves the worker as it was.
		const order = job.start();
		const onSettled = (id: number, text: string): void => this.#tellLater(id, text);
		const run = new HostedRun(order, { store: this.#store, signal: job.signal, onLog: job.onLog, onSettled });
		this.state = "busy";
		this.#run = run;
		this.#stopCell = 0;
		const { limits, deadlineAt, allowedHosts } = run.record;
		const { source, files = [], name, arguments: given } = order.script;
		const { engine, seed, pythonImage } = order;
		const told: GuestOrder = {
			name,
			engine,
			seed,
			limits,
			deadlineAt,
			mayFetch: allowedHosts.length > 0,
			...(given && { arguments: given }),
			...(pythonImage !== undefined && { pythonImage }),
		};
		const cpuAtStart = threadCpuMs(this.#child.pid);
		using _watch = watchCpuTime(job, this.engines, async () => {
			const used = threadCpuMs(this.#child.pid);
			return used === undefined || cpuAtStart === undefined ? undefined : used - cpuAtStart;
		});
		this.engines.add(job.engine);
		const end = await untilEnded<GuestEnd>(job, {
			graceMs: this.#graceMs,
			begin: (settle) => {
				this.#settle = settle;
				for (const { path, content } of files) this.#tell(hostFrames.file, path, Buffer.from(content).toString("base64"));
				this.#tell(hostFrames.run, JSON.stringify(told), source);
			},
			stop: (reason) => {
				this.#stopCell = stopCells[reason];
				this.#tell(hostFrames.stop, reason);
			},
			terminate: () => void this.terminate(),
		});
		const remainder = await run.end(end.type === "ended" && !end.result.failure ? end.result.returned : undefined);
		return { ...end, remainder };
	}

	async terminate(): Promise<void> {
		if (this.state !== "gone") this.state = "stopping";
		this.#child.kill("SIGKILL");
		await this.#exited;
	}

	#hear(chunk: Buffer): void {
		if (this.state === "stopping" || this.state === "gone") return;
		this.#frames.add(chunk);
		this.#serveWaiting();
	}

	/** Serves what the guest has asked. An honest one asks one thing at a time; for another one's sake nobody else waits long, nor is much kept. */
	#serveWaiting(): void {
		if (this.state === "stopping" || this.state === "gone") return;
		try {
			for (let count = 0; count < maxFramesInTurn; count++) {
				// Goes on when they have been taken.
				if (this.#requests.writableLength > maxUnreadAnswers) return void this.#requests.pause();
				const frame = this.#frames.next();
				if (!frame) return void this.#requests.resume();
				this.#receive(frame);
			}
			this.#requests.pause();
			setImmediate(() => this.#serveWaiting());
		} catch (error) {
			this.#break(`The guest process said what none says: ${(error as Error).message}.`);
		}
	}

	/** Throws an Error for what a guest process does not say. */
	#receive(frame: Frame): void {
		if (this.state === "busy" && this.#run) this.#serve(this.#run, frame);
		else if (this.state === "starting" && frame.type === guestFrames.ready) void this.#opened.then(() => this.#becomeIdle());
		else if (this.state !== "stopping") throw new Error(`a frame of type ${frame.type} outside of a run`);
	}

	#serve(run: HostedRun, { type, id, number, head, tail }: Frame): void {
		switch (type) {
			case guestFrames.call:
				this.#answer(id, run.call(id, number, head, tail));
				break;
			case guestFrames.fetch:
				this.#answer(id, run.fetch(id, head, tail));
				break;
			case guestFrames.print:
				if (head.length > maxPrintedCharacters) throw new Error(`${head.length} characters printed at once`);
				this.#answer(id, run.print(number === 0 ? "stdout" : "stderr", head) ? "" : "full");
				break;
			case guestFrames.cancel:
				run.cancelFetch(id);
				break;
			case guestFrames.ended:
				this.#finish({ type: "ended", result: readGuestReport(head, tail) });
				this.#becomeIdle();
				break;
			case guestFrames.broken:
				this.#break(`The guest process broke: ${excerpt(head)}.`);
				break;
			default:
				throw new Error(`a frame of type ${type}`);
		}
	}

	#becomeIdle(): void {
		if (this.state === "stopping" || this.state === "gone") return;
		this.state = "idle";
		this.#events.onIdle();
	}

	/** The process is in an unknown state, or not ours any more: it goes, and its exit frees the place in the pool. */
	#break(cause: string): void {
		this.#finish({ type: "crashed", cause });
		void this.terminate();
	}

	#answer(id: number, text: string | undefined): void {
		const type = text === undefined ? hostFrames.later : hostFrames.answer;
		this.#requests.write(encodeFrame({ type, id, number: this.#stopCell, head: text ?? "" }));
	}

	#tellLater(id: number, text: string): void {
		this.#news.write(encodeFrame({ type: hostFrames.settled, id, number: 0, head: text }));
		if (this.#news.writableLength > maxUnreadNews) this.#break("It does not take the answers to its requests.");
	}

	#tell(type: number, head: string, tail?: string): void {
		this.#news.write(encodeFrame({ type, id: 0, number: 0, head, tail }));
	}

	#leave(cause: string): void {
		if (this.state === "gone") return;
		const early = this.state === "starting" ? cause : undefined;
		const wanted = this.state === "stopping";
		this.state = "gone";
		this.#finish(wanted ? { type: "terminated" } : { type: "crashed", cause });
		this.#events.onGone(early);
	}

	#finish(end: GuestEnd): void {
		const settle = this.#settle;
		this.#settle = undefined;
		this.#run = undefined;
		settle?.(end);
	}
}

function describeExit({ exitCode, signalCode }: ChildProcess, stderr: string): string {
	if (stderr.includes("heap out of memory")) return "The guest process ran out of memory.";
	const said = /^.*\b(?:Error|error|FATAL)\b.*$/m.exec(stderr)?.[0];
	const how = signalCode === null ? `with exit code ${exitCode}` : `by ${signalCode}`;
	return `The guest process ended ${how}${said === undefined ? "" : `: ${excerpt(said)}`}.`;
}

/** Clock ticks of /proc, which are always hundredths of a second. */
const tickMs = 10;

/** Processor time of the thread of a process that runs scripts, which Linux tells. Elsewhere the time is the limit, and what the engine sees itself. */
function threadCpuMs(pid: number | undefined): number | undefined {
	if (process.platform !== "linux" || pid === undefined) return undefined;
	try {
		const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, "latin1");
		// Behind the name, which may hold anything: state, …, user time (12th), system time.
		const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
		return (Number(fields[11]) + Number(fields[12])) * tickMs;
	} catch {
		// It has ended.
		return undefined;
	}
}
