import type { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";

/** Of what comes before the nonce so much is kept, to be shown when nothing else does. */
const keptNoiseBytes = 1_000;
const maxLineBytes = 64 * 1024;

/** What `dd` says of every file. */
export const ddStatistics = /^\d+\+\d+ records (?:in|out)\n|^\d+ bytes.*\n/gm;

/** Lets through what a stream has behind the line with the nonce: a login shell may print whatever it likes before. */
export class NonceFilter {
	readonly #nonce: string;
	#held = Buffer.alloc(0);
	#noise = Buffer.alloc(0);
	#line: string | undefined;

	constructor(nonce: string) {
		this.#nonce = nonce;
	}

	/** The rest of the line with the nonce; undefined until it has come. */
	get line(): string | undefined {
		return this.#line;
	}

	/** The last of what came before. */
	get noise(): string {
		return Buffer.concat([this.#noise, this.#held]).subarray(-keptNoiseBytes).toString().replaceAll(ddStatistics, "").trim();
	}

	/** What of the piece stands behind the line. */
	take(piece: Buffer): Buffer {
		if (this.#line !== undefined) return piece;
		const held = Buffer.concat([this.#held, piece]);
		const start = held.indexOf(this.#nonce);
		const end = start < 0 ? -1 : held.indexOf("\n", start);
		if (end < 0) {
			const kept = start < 0 ? held.subarray(-this.#nonce.length) : held.subarray(start, start + maxLineBytes);
			const dropped = held.subarray(0, start < 0 ? held.length - kept.length : start);
			this.#noise = Buffer.concat([this.#noise, dropped]).subarray(-keptNoiseBytes);
			this.#held = kept;
			return Buffer.alloc(0);
		}
		this.#noise = Buffer.concat([this.#noise, held.subarray(0, start)]).subarray(-keptNoiseBytes);
		this.#held = Buffer.alloc(0);
		this.#line = held
			.subarray(start + this.#nonce.length, end)
			.toString()
			.trim();
		return held.subarray(end + 1);
	}
}

/**
 * Reads a stream to its end, behind its nonce. `onLine` is called when that has come. `take` says whether it wants more: what comes then is read, so that the script
 * goes on, and left. Never rejects: how a session ended is not said by its output.
 */
export async function readBehind(
	stream: Readable,
	filter: NonceFilter,
	onLine: () => void,
	take: (text: string) => boolean,
): Promise<void> {
	const decoder = new TextDecoder();
	let isWanted = true;
	try {
		for await (const piece of stream) {
			const isBehind = filter.line !== undefined;
			const rest = filter.take(piece as Buffer);
			if (!isBehind && filter.line !== undefined) onLine();
			if (isWanted && rest.length > 0) isWanted = take(decoder.decode(rest, { stream: true }));
			// Gigabytes that nobody wants do not keep the thread from its other work.
			else if (!isWanted) await nextTurn();
		}
	} catch {
		// The connection broke.
	}
	if (isWanted) take(decoder.decode());
}
