import { setTimeout as sleep } from "node:timers/promises";

/** What the work comes to; undefined when it takes longer, and goes on by itself. Rejects as the work does. No timer is left. */
export async function within<Result>(work: Promise<Result>, timeMs: number): Promise<Result | undefined> {
	const enough = new AbortController();
	const late = sleep(timeMs, undefined, { signal: enough.signal }).catch(() => undefined);
	try {
		return await Promise.race([work, late]);
	} finally {
		enough.abort();
	}
}
