/**
 * A value inside a guest: the address of a QuickJS JSValue in its linear memory, owned by whoever holds it. Means nothing in
 * another instance and nothing after the instance was restored.
 */
export type Handle = number;

/** What a guest can ask of the host while it runs. Every method may throw `GuestStopped`. */
export interface GuestHost {
	/** Answers a call of the prelude: a text now, or the id of a call that is settled later. */
	call(operation: number, params: string, body: string | undefined): string | number;
	/** Called from inside loops of the guest, every 10,000 steps of its interpreter or so. */
	poll(): void;
	/** Why the module cannot be imported; the guest throws it as an Error. */
	refuseImport(specifier: string): string;
}

/**
 * Thrown by the host through the frames of a guest, which has no way to catch it: WebAssembly without exception handling
 * cannot, and QuickJS runs inside. The instance is left in the middle of things and must be dropped.
 */
export class GuestStopped extends Error {
	constructor() {
		super("The guest was stopped.");
		this.name = "GuestStopped";
	}
}

/** Thrown by the glue when the guest's memory has no room for what the host wants to put there. Drop the instance. */
export class GuestOutOfMemory extends Error {
	constructor() {
		super("The guest has no memory left.");
		this.name = "GuestOutOfMemory";
	}
}

/** The functions that the prelude leaves for the engine. */
export interface GuestHooks {
	readonly begin: Handle;
	readonly settle: Handle;
	readonly finish: Handle;
	readonly describe: Handle;
}

/** What came of calling into a guest. */
export type Completion =
	| { readonly type: "value"; readonly handle: Handle }
	/** The guest threw `handle`. */
	| { readonly type: "thrown"; readonly handle: Handle };

/** What came of evaluating a module. */
export type ModuleCompletion =
	/** A promise of the namespace. */
	| { readonly type: "promise"; readonly handle: Handle }
	| { readonly type: "namespace"; readonly handle: Handle }
	| { readonly type: "thrown"; readonly handle: Handle };

export type PromiseState = "pending" | "fulfilled" | "rejected";

/**
 * One instance of an engine in which the prelude has been evaluated and one script runs. Methods that run guest code throw what
 * unwinds a guest (`GuestStopped`, traps, overflows of the host's stack); after that the instance may only be dropped.
 */
export interface Guest {
	readonly hooks: GuestHooks;
	/** Who answers the guest; set for the time of a run. */
	host: GuestHost | undefined;
	/** Bytes of the linear memory. */
	readonly memoryBytes: number;
	readonly maxMemoryBytes: number;
	/** Bytes of the guest's own stack that are in use now; all of it after an overflow that unwound through the host. */
	readonly stackIsExhausted: boolean;

	setMaxStackBytes(bytes: number): void;
	evaluateModule(name: string, source: string): ModuleCompletion;
	call(callable: Handle, args: readonly Handle[]): Completion;
	/** Runs the next job of the guest's queue; false when there was none. A job that threw (rare: no memory) is thrown as a completion. */
	runJob(): boolean | Completion;
	settle(callId: number, answer: string): void;
	promiseState(promise: Handle): PromiseState;
	promiseResult(promise: Handle): Handle;
	/** Exempts a promise that the host itself watches from `unhandledRejection`. */
	watch(promise: Handle): void;
	/** The reason of the oldest rejected promise that nobody handles; undefined when there is none. */
	unhandledRejection(): { readonly reason: Handle | undefined } | undefined;
	newText(text: string): Handle;
	newNumber(value: number): Handle;
	/** The text that a string holds; undefined for anything else. */
	text(value: Handle): string | undefined;
	free(value: Handle): void;
	/**
	 * Writes the initial image back over everything the last run left: memory, stack pointer, what the glue kept. False when
	 * that cannot be done because the memory grew.
	 */
	restore(): boolean;
}

export interface MemorySegment {
	readonly offset: number;
	readonly bytes: Uint8Array;
}

/** The state of an instance after the prelude was evaluated; can be posted to other threads. */
export interface GuestImage {
	/** What of the linear memory is not zero, in order. */
	readonly memory: readonly MemorySegment[];
	readonly pages: number;
	readonly stackPointer: number;
	/** Addresses that the glue needs to find its way in the image. */
	readonly places: Readonly<Record<string, number>>;
}
