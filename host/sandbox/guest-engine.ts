import type { Helpers } from "../contract/generated/types.ts";
import { type Bindings, createBindings } from "./bindings.ts";
import { collectGarbage } from "./collector.ts";
import type { Engine, EngineName, GuestExecution, GuestResult, RemoteHelpers, Script, Surroundings } from "./engine.ts";
import type { GuestImage } from "./guest.ts";
import { limitFailure } from "./guest-failures.ts";
import type { GuestEnd } from "./run-control.ts";

const pageBytes = 65_536;
/** Idle instances that are kept, each for another memory limit. */
const maxIdle = 2;
/**
 * Memory of dropped instances that may wait for the collector. A WebAssembly memory cannot be given back, and V8, to which it is a small object,
 * lets hundreds of megabytes gather before it looks. A collection costs some milliseconds, and comes between two runs.
 */
const maxDroppedBytes = 128 * 1024 * 1024;

/** What makes an engine: posted to another thread, it saves that thread the compilation and the prelude's evaluation. */
export interface PreparedEngine {
	readonly name: EngineName;
	readonly module: WebAssembly.Module;
	readonly minimumPages: number;
	/** Of Python only what is beside the memory, which instances read from a file: it is not posted. */
	readonly image: GuestImage;
}

/** An instance of an engine. It runs one script, and the next one when it has been restored. */
export interface Instance {
	/** Bytes of the linear memory. */
	readonly memoryBytes: number;
	run(
		script: Script,
		execution: GuestExecution,
		bindings: Bindings,
		stop: Int32Array,
		surroundings: Surroundings,
	): Promise<GuestEnd>;
	/** Writes the initial image back over everything the last run left. */
	restore(): void;
}

/** Instances since the engine was made. */
export interface EngineStatistics {
	readonly created: number;
	/** Used once more after their image was written back. */
	readonly recycled: number;
	/** Not used any more: they grew, were stopped or had calls outstanding. */
	readonly dropped: number;
	/** Waiting for the next run now. */
	readonly idle: number;
}

interface IdleGuest {
	readonly guest: Instance;
	restored: boolean;
}

/** Gives every run an instance in the state of the image, and takes no instance twice without restoring all of it. */
export class GuestEngine implements Engine {
	readonly prepared: PreparedEngine;
	readonly #create: (maximumPages: number) => Instance;
	readonly #idle = new Map<number, IdleGuest>();
	#created = 0;
	#recycled = 0;
	#dropped = 0;
	/** Of instances that were dropped since the last collection. */
	#droppedBytes = 0;
	#running = false;
	#lastPages = 0;
	#disposed = false;

	constructor(prepared: PreparedEngine, create: (maximumPages: number) => Instance) {
		this.prepared = prepared;
		this.#create = create;
	}

	get name(): EngineName {
		return this.prepared.name;
	}

	get statistics(): EngineStatistics {
		return { created: this.#created, recycled: this.#recycled, dropped: this.#dropped, idle: this.#idle.size };
	}

	/** Has an instance for runs with this limit ready before the first one comes. */
	warm(maxMemoryBytes: number): void {
		const maximumPages = Math.floor(maxMemoryBytes / pageBytes);
		if (maximumPages >= this.prepared.image.pages && !this.#idle.has(maximumPages))
			this.#keep(maximumPages, { guest: this.#make(maximumPages), restored: true });
	}

	async run(
		script: Script,
		execution: GuestExecution,
		helpers: Helpers | RemoteHelpers,
		surroundings: Surroundings,
		stop: Int32Array,
	): Promise<GuestResult> {
		if (this.#disposed) throw new Error("The engine was disposed.");
		if (this.#running) throw new Error("The engine runs one script at a time.");
		this.#running = true;
		try {
			const maximumPages = Math.floor(execution.limits.maxMemoryBytes / pageBytes);
			if (maximumPages < this.prepared.image.pages) return refusal(execution);
			const guest = this.#take(maximumPages);
			const bindings = createBindings(execution, helpers, surroundings);
			let reusable = false;
			try {
				const end = await guest.run(script, execution, bindings, stop, surroundings);
				reusable = end.reusable;
				return end.result;
			} finally {
				bindings.close();
				this.#giveBack(maximumPages, guest, reusable);
			}
		} finally {
			this.#running = false;
		}
	}

	/** Has the instance for the next run like the last one made ready, when nothing else is to be done: to be called when the result of a run is on its way. */
	tidy(): void {
		// One that did not keep the loop alive would wait for the next event, which is the next run.
		setImmediate(() => this.prepare());
	}

	[Symbol.dispose](): void {
		this.#disposed = true;
		this.#idle.clear();
	}

	#take(maximumPages: number): Instance {
		const idle = this.#idle.get(maximumPages);
		this.#idle.delete(maximumPages);
		// Not done yet only when this run came before the loop was free.
		this.#collect();
		if (!idle) return this.#make(maximumPages);
		if (!idle.restored) idle.guest.restore();
		return idle.guest;
	}

	#giveBack(maximumPages: number, guest: Instance, reusable: boolean): void {
		if (this.#disposed) return;
		const isReusable = reusable && guest.memoryBytes === this.prepared.image.pages * pageBytes;
		if (isReusable) {
			this.#recycled++;
			this.#keep(maximumPages, { guest, restored: false });
		} else {
			this.#dropped++;
			this.#droppedBytes += guest.memoryBytes;
		}
		this.#lastPages = maximumPages;
	}

	/** Makes the instance for the next run ready now, unless there is one, or a run. */
	protected prepare(): void {
		const maximumPages = this.#lastPages;
		if (this.#disposed || this.#running || maximumPages === 0) return;
		this.#collect();
		const idle = this.#idle.get(maximumPages);
		if (!idle) this.#keep(maximumPages, { guest: this.#make(maximumPages), restored: true });
		else if (!idle.restored) {
			idle.guest.restore();
			idle.restored = true;
		}
	}

	#keep(maximumPages: number, idle: IdleGuest): void {
		this.#idle.set(maximumPages, idle);
		for (const [oldest, { guest }] of this.#idle) {
			if (this.#idle.size <= maxIdle) break;
			this.#idle.delete(oldest);
			this.#droppedBytes += guest.memoryBytes;
		}
	}

	#collect(): void {
		if (this.#droppedBytes < maxDroppedBytes) return;
		this.#droppedBytes = 0;
		collectGarbage();
	}

	#make(maximumPages: number): Instance {
		this.#created++;
		return this.#create(maximumPages);
	}
}

/** The engine and the prelude alone are more than the run may have. */
function refusal({ limits }: GuestExecution): GuestResult {
	return { failure: limitFailure(limits, "maxMemoryBytes"), usage: { cpuTimeMs: 0, memoryBytes: 0, hostCalls: 0 } };
}
