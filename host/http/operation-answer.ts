import type { FastifyReply, FastifyRequest } from "fastify";
import { encodeResult } from "../contract/encode.ts";
import { RuntimeError } from "../contract/errors.ts";
import { excerpt } from "../contract/excerpt.ts";
import type { HttpResponseHeader, Operation } from "../contract/generated/operations.ts";
import type { CallTraffic } from "./traffic.ts";

const jsonType = "application/json; charset=utf-8";

/**
 * Makes the writer of an operation's answers, by the HTTP form in the table. It throws `not-found` for what is missing, and `rate-limited` when there is no
 * room for what was read.
 */
export function answerWriter(operation: Operation): (request: FastifyRequest, reply: FastifyReply, result: unknown) => void {
	const { method, status, body, headers, none } = operation.http;
	// Fastify measures the body itself.
	const written = headers
		.filter(({ name }) => name !== "Content-Length")
		.map((header) => ({ name: header.name, read: headerReader(header) }));
	const readTag = method === "GET" ? written.find(({ name }) => name === "ETag")?.read : undefined;

	return (request, reply, result) => {
		if (result === undefined && none === "not-found") {
			const { key } = request.params as { readonly key: string };
			throw new RuntimeError("not-found", `There is no variable ${excerpt(key)}.`);
		}
		const isUnchanged = readTag !== undefined && isKnown(request.headers["if-none-match"], readTag(result) as string);
		let text: string | undefined;
		if (body !== "none" && !isUnchanged) {
			text =
				body === "value"
					? (result as { readonly value: string }).value
					: result === undefined
						? "null"
						: encodeResult(operation, result);
			// Kept until the client has read it, behind the answers to all that it asked for before. The calls of operators are not counted.
			const { traffic: call } = request as { readonly traffic?: CallTraffic | null };
			if (call && operation.effect) call.count(Buffer.byteLength(text));
			else call?.reserve(Buffer.byteLength(text));
			reply.header("Content-Type", jsonType);
		}
		for (const { name, read } of written) {
			const value = read(result);
			if (value !== undefined) reply.header(name, value);
		}
		reply.code(isUnchanged ? 304 : status).send(text);
	};
}

function headerReader({ field, as }: HttpResponseHeader): (result: unknown) => string | undefined {
	const path = field === "" ? [] : field.split(".");
	return (result) => {
		let value = result;
		for (const part of path) value = (value as Record<string, unknown> | undefined)?.[part];
		return value === undefined ? undefined : as === "etag" ? `"${value}"` : String(value);
	};
}

/** Whether `If-None-Match` names the version (RFC 9110, section 13.1.2: compared weakly). */
function isKnown(header: string | undefined, tag: string): boolean {
	if (header === undefined) return false;
	if (header.trim() === "*") return true;
	return header.split(",").some((one) => one.trim().replace(/^W\//, "") === tag);
}
