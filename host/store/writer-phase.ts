/** What the writer's thread is doing, in memory that it shares with the thread that started it. */
export const writerPhases = {
	idle: 0,
	/** Inside a transaction: stopping the thread now would crash or hang the process. */
	busy: 1,
	/** Set by the other thread when the process exits: no transaction is begun any more. */
	parked: 2,
} as const;

/** Longest wait for a transaction to end when the process exits, in milliseconds. */
const parkTimeoutMs = 30_000;

/** Blocks until the writer is outside a transaction, and keeps it there. */
export function parkWriter(phase: Int32Array): void {
	const end = Date.now() + parkTimeoutMs;
	while (Atomics.compareExchange(phase, 0, writerPhases.idle, writerPhases.parked) === writerPhases.busy && Date.now() < end)
		Atomics.wait(phase, 0, writerPhases.busy, 1_000);
}
