import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { RuntimeError } from "../contract/errors.ts";
import type { Limit } from "../contract/generated/types.ts";

/**
 * Reads a body as text, or as bytes, and no more of it than is allowed: a length that is announced is refused before anything is read.
 * Rejects with `too-large` naming the limit, and `invalid` for text that is not UTF-8 or a body that was cut off.
 */
export function readBody(request: IncomingMessage, limit: Limit, as: "text"): Promise<string>;
export function readBody(request: IncomingMessage, limit: Limit, as: "bytes"): Promise<Buffer>;
export function readBody(request: IncomingMessage, limit: Limit, as: "text" | "bytes"): Promise<string | Buffer> {
	return new Promise((resolve, reject) => {
		const announced = Number(request.headers["content-length"] ?? 0);
		if (announced > limit.value) return reject(tooLarge(`has ${announced} bytes`, limit));
		const chunks: Buffer[] = [];
		let bytes = 0;
		const onData = (chunk: Buffer): void => {
			bytes += chunk.length;
			chunks.push(chunk);
			if (bytes <= limit.value) return;
			request.off("data", onData);
			request.pause();
			reject(tooLarge(`has more than ${limit.value} bytes`, limit));
		};
		request.on("data", onData);
		request.once("end", () => {
			const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
			if (as === "bytes") resolve(body);
			else if (isUtf8(body)) resolve(body.toString("utf8"));
			else reject(new RuntimeError("invalid", "The body is not UTF-8."));
		});
		request.once("error", () => reject(new RuntimeError("invalid", "The body was cut off.")));
	});
}

/** What a client may still be sending when it is refused: longer than the limits of values, so that it reads why. */
const maxDiscardedBytes = 4 * 1024 * 1024;
const maxDiscardMs = 500;

/** Whether all of a request has come, or has no body to come. */
export function isRead({ complete, headers }: IncomingMessage): boolean {
	return complete || (headers["transfer-encoding"] === undefined && (headers["content-length"] ?? "0") === "0");
}

/**
 * Reads what is left of a body and throws it away, within bounds: a connection that is closed while the client is still sending is reset, and the
 * answer is lost with it. Resolves to whether all of it has come, so that the connection can be used again.
 */
export function discardBody(request: IncomingMessage): Promise<boolean> {
	return new Promise((resolve) => {
		let bytes = 0;
		const finish = (): void => {
			clearTimeout(timer);
			request.off("data", count).off("end", finish).off("close", finish).pause();
			resolve(request.complete);
		};
		const count = (chunk: Buffer): void => {
			bytes += chunk.length;
			if (bytes > maxDiscardedBytes) finish();
		};
		const timer = setTimeout(finish, maxDiscardMs);
		request.on("data", count).on("end", finish).on("close", finish).resume();
	});
}

function tooLarge(what: string, limit: Limit): RuntimeError {
	return new RuntimeError("too-large", `The body ${what}; the limit ${limit.name} is ${limit.value}.`, { limit });
}
