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

function tooLarge(what: string, limit: Limit): RuntimeError {
	return new RuntimeError("too-large", `The body ${what}; the limit ${limit.name} is ${limit.value}.`, { limit });
}
