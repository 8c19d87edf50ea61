import { Duplex } from "node:stream";

/** What is written at one time: who reads slowly, but does read, is seen to. */
const pieceBytes = 64 * 1024;

/**
 * A stream as a socket for Node's HTTP server, which asks more of one than a stream has: without its time limit an answer that nobody reads is kept for ever, and a
 * channel of SSH does not say that it was destroyed. Bytes are handed on as they come, and no faster than the other side takes them.
 */
export class StreamSocket extends Duplex {
	readonly #stream: Duplex;
	#timer: NodeJS.Timeout | undefined;

	constructor(stream: Duplex) {
		super({ allowHalfOpen: true });
		this.#stream = stream;
		stream.on("data", (chunk: Buffer) => {
			this.#timer?.refresh();
			if (!this.push(chunk)) stream.pause();
		});
		stream.once("end", () => this.push(null));
		stream.on("error", () => this.destroy());
		stream.once("close", () => this.destroy());
	}

	/** As that of a socket: `timeout` is emitted when nothing has moved for so long; 0 is never. */
	setTimeout(timeoutMs: number, onTimeout?: () => void): this {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		if (onTimeout) this.once("timeout", onTimeout);
		if (timeoutMs > 0 && !this.destroyed) this.#timer = setTimeout(() => this.emit("timeout"), timeoutMs).unref();
		return this;
	}

	/** What waits to be sent is sent first: without it the end of an answer would be lost. */
	destroySoon(): void {
		if (this.writable) this.end();
		if (this.writableFinished) this.destroy();
		else this.once("finish", () => this.destroy());
	}

	override _read(): void {
		this.#stream.resume();
	}

	override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
		this.#send(chunk, 0, done);
	}

	override _final(done: (error?: Error | null) => void): void {
		this.#stream.end(done);
	}

	override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
		clearTimeout(this.#timer);
		// What still comes is not kept: a channel that is not read never closes.
		this.#stream.removeAllListeners("data").resume();
		this.#stream.destroy();
		done(error);
	}

	#send(chunk: Buffer, from: number, done: (error?: Error | null) => void): void {
		this.#timer?.refresh();
		const to = from + pieceBytes;
		this.#stream.write(from === 0 && to >= chunk.length ? chunk : chunk.subarray(from, to), (error) => {
			if (error || to >= chunk.length) done(error);
			else this.#send(chunk, to, done);
		});
	}
}
