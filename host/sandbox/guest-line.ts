import { readSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { RuntimeError } from "../contract/errors.ts";
import { encodeFrame, type Frame, FrameReader, maxGuestFrameBytes } from "./guest-frames.ts";

/** The descriptors that a guest process is started with, beside standard error. */
const requestsFd = 3;
const newsFd = 4;

/** While a script computes, its host is heard this often, in milliseconds. */
const pollMs = 10;
const chunkBytes = 64 * 1024;

/** A guest process's two sockets to its host. Ends the process when the host is gone: nobody would hear it any more. */
export class GuestLine {
	readonly #onNews: (frame: Frame) => void;
	readonly #news = new FrameReader();
	readonly #answers = new FrameReader();
	readonly #chunk = Buffer.allocUnsafeSlow(chunkBytes);
	#nextPoll = 0;

	constructor(onNews: (frame: Frame) => void) {
		this.#onNews = onNews;
		// Makes the descriptor non-blocking, too, which `poll` needs.
		const news = new Socket({ fd: newsFd, readable: true, writable: false });
		news.on("data", (chunk: Buffer) => this.#hear(chunk));
		news.on("error", leave);
		news.on("close", leave);
	}

	/** Says something that is not answered. Throws `too-large` for what no frame can hold. */
	say(frame: Frame): void {
		const bytes = encodeFrame(frame);
		if (bytes.length > maxGuestFrameBytes)
			throw new RuntimeError("too-large", `A call to the host has ${bytes.length} bytes; the limit is ${maxGuestFrameBytes}.`);
		try {
			for (let start = 0; start < bytes.length; ) start += writeSync(requestsFd, bytes, start);
		} catch {
			leave();
		}
	}

	/** Asks, and waits for the answer: the host answers at once. */
	ask(frame: Frame): Frame {
		this.say(frame);
		for (;;) {
			const answer = this.#answers.next();
			if (answer) return answer;
			this.#answers.add(this.#read(requestsFd) as Buffer);
		}
	}

	/** Takes the news that have come although the event loop is busy. */
	poll(): void {
		const now = performance.now();
		if (now < this.#nextPoll) return;
		this.#nextPoll = now + pollMs;
		for (let chunk = this.#read(newsFd); chunk !== undefined; chunk = this.#read(newsFd)) this.#hear(chunk);
	}

	#hear(chunk: Buffer): void {
		this.#news.add(chunk);
		for (let frame = this.#news.next(); frame; frame = this.#news.next()) this.#onNews(frame);
	}

	/** Undefined when there is nothing now. */
	#read(descriptor: number): Buffer | undefined {
		try {
			const bytes = readSync(descriptor, this.#chunk);
			if (bytes > 0) return Buffer.from(this.#chunk.subarray(0, bytes));
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === "EAGAIN") return undefined;
		}
		return leave();
	}
}

function leave(): never {
	process.exit();
}
