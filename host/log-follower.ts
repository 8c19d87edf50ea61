import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import type { LogLine } from "./execution.ts";
import type { Executions } from "./executions.ts";
import type { RunLogs } from "./run-logs.ts";

/** How often the store is asked about a run of another process, in milliseconds. */
const pollMs = 500;

/**
 * The lines of a run behind `after`, as they come, until the run has ended and all were given. Every line once, in order. Those of a run in this
 * process (`live`) come at once, those of another process's within half a second of their being stored.
 */
export async function* followLogs(
	executions: Executions,
	id: string,
	live: RunLogs | undefined,
	after: number,
	signal: AbortSignal,
): AsyncGenerator<LogLine> {
	let last = after;
	if (live) {
		while (!signal.aborted) {
			// Asked before the lines are taken: what comes in between wakes the next round.
			const more = once(live.events, "change", { signal }).catch(() => undefined);
			for (const line of live.lines.slice(live.lines.findLastIndex(({ sequence }) => sequence <= last) + 1)) {
				last = line.sequence;
				yield line;
			}
			if (live.isClosed && (live.lines.at(-1)?.sequence ?? 0) <= last) return;
			await more;
		}
		return;
	}
	while (!signal.aborted) {
		const { status } = await executions.require(id);
		for (const line of await executions.logs(id)) {
			if (line.sequence <= last) continue;
			last = line.sequence;
			yield line;
		}
		if (status !== "created" && status !== "running") return;
		await wait(pollMs, undefined, { signal }).catch(() => undefined);
	}
}
