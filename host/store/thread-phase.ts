import { RuntimeError } from "../contract/errors.ts";

// Terminating a thread that is inside an LMDB transaction, or that opens or closes LMDB, ends or hangs the whole process. So every thread that has
// the store open shares one word with the thread that could terminate it, and each side waits for the other.

/** What a thread is doing with LMDB, in memory that it shares with the main thread. */
export type ThreadPhase = Int32Array<SharedArrayBuffer>;

const idle = 0;
/** Must not be terminated now. */
const busy = 1;
/** The main thread is about to end it: nothing is begun any more. */
const parked = 2;

/** Longest wait for a thread when the process exits, in milliseconds. */
const parkTimeoutMs = 30_000;

export function createThreadPhase(): ThreadPhase {
	return new Int32Array(new SharedArrayBuffer(4));
}

/** In the thread itself: runs `work` during which it must not be terminated. Throws `unavailable` when it is about to be. */
export function runUninterrupted<T>(phase: ThreadPhase, work: () => T): T {
	if (Atomics.compareExchange(phase, 0, idle, busy) !== idle)
		throw new RuntimeError("unavailable", "This thread is being stopped.");
	try {
		return work();
	} finally {
		Atomics.store(phase, 0, idle);
		Atomics.notify(phase, 0);
	}
}

/** In the main thread: resolves when the thread may be terminated, and keeps it so. */
export async function parkThread(phase: ThreadPhase): Promise<void> {
	while (Atomics.compareExchange(phase, 0, idle, parked) === busy) {
		const waiting = Atomics.waitAsync(phase, 0, busy, 1_000);
		if (waiting.async) await waiting.value;
	}
}

/** The threads of all stores that are open: one listener for all, because Node takes many for a leak. */
const parkedAtExit = new Set<ReadonlySet<ThreadPhase>>();

/** The same for all that are in the set when the process exits, where nothing can be awaited any more. Returns what takes that back. */
export function parkThreadsAtExit(phases: ReadonlySet<ThreadPhase>): () => void {
	if (parkedAtExit.size === 0) process.on("exit", parkAll);
	parkedAtExit.add(phases);
	return () => {
		if (parkedAtExit.delete(phases) && parkedAtExit.size === 0) process.off("exit", parkAll);
	};
}

function parkAll(): void {
	for (const phases of parkedAtExit) for (const phase of phases) parkThreadNow(phase);
}

function parkThreadNow(phase: ThreadPhase): void {
	const end = Date.now() + parkTimeoutMs;
	while (Atomics.compareExchange(phase, 0, idle, parked) === busy && Date.now() < end) Atomics.wait(phase, 0, busy, 1_000);
}

/** Whether the thread was parked, and so is gone or about to go. */
export function isParked(phase: ThreadPhase): boolean {
	return Atomics.load(phase, 0) === parked;
}
