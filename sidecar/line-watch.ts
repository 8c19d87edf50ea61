import type { ClientHttp2Session } from "node:http2";

/** How long the other end has for its answer to a ping. */
const answerWithinMs = 10_000;
/** After so long without a word nobody knows whether there is still a line. */
const silenceMs = 5_000;

/** Finds out that a line is dead without a word, and ends its session: by a ping from time to time, and by one that goes with a request. */
export class LineWatch {
	readonly #session: ClientHttp2Session;
	#heardAt = performance.now();
	#deadline: NodeJS.Timeout | undefined;

	constructor(session: ClientHttp2Session, everyMs: number) {
		this.#session = session;
		const timer = setInterval(() => this.#ping(), everyMs);
		session.once("close", () => {
			clearInterval(timer);
			clearTimeout(this.#deadline);
		});
	}

	/** To be called with a request: it must not wait for a line that is dead until the next ping is due. */
	probe(): void {
		if (performance.now() - this.#heardAt > silenceMs) this.#ping();
	}

	#ping(): void {
		if (this.#deadline !== undefined || this.#session.destroyed || this.#session.closed) return;
		this.#deadline = setTimeout(() => this.#session.destroy(), answerWithinMs);
		this.#session.ping((error) => {
			clearTimeout(this.#deadline);
			this.#deadline = undefined;
			if (!error) this.#heardAt = performance.now();
		});
	}
}
