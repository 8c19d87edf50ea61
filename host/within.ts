/** What the work comes to; undefined when it takes longer, and goes on by itself. Rejects as the work does. No timer is left. */
export async function within<Result>(work: Promise<Result>, timeMs: number): Promise<Result | undefined> {
	// Not the timer of promises, whose aborting makes an error that costs more than all of this.
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<undefined>((resolve) => {
		timer = setTimeout(resolve, timeMs, undefined);
	});
	try {
		return await Promise.race([work, late]);
	} finally {
		clearTimeout(timer);
	}
}

/** What the work comes to. Rejects with the reason of the signal when that aborts first; the work goes on by itself. */
export function unlessAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
	return new Promise((resolve, reject) => {
		const onAbort = (): void => reject(signal.reason);
		if (signal.aborted) onAbort();
		signal.addEventListener("abort", onAbort, { once: true });
		work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
	});
}
