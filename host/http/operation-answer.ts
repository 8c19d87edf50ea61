import type { FastifyReply, FastifyRequest } from "fastify";
import { encodeResult } from "../contract/encode.ts";
import { RuntimeError } from "../contract/errors.ts";
import { excerpt } from "../contract/excerpt.ts";
import type { HttpResponseHeader, Operation } from "../contract/generated/operations.ts";

const jsonType = "application/json; charset=utf-8";

/** Makes the writer of an operation's answers, by the HTTP form in the table. */
export function answerWriter(operation: Operation): (request: FastifyRequest, reply: FastifyReply, result: unknown) => void {
	const { method, status, body, headers, none } = operation.http;
	// Fastify measures the body itself.
	const written = headers.filter(({ name }) => name !== "Content-Length").map(headerWriter);
	const hasTag = headers.some(({ as }) => as === "etag");

	return (request, reply, result) => {
		if (result === undefined && none === "not-found") {
			const { key } = request.params as { readonly key: string };
			throw new RuntimeError("not-found", `There is no variable ${excerpt(key)}.`);
		}
		for (const writeHeader of written) writeHeader(reply, result);
		if (body === "none") return void reply.code(status).send();
		if (method === "GET" && hasTag && isKnown(request.headers["if-none-match"], reply.getHeader("ETag") as string))
			return void reply.code(304).send();
		const text =
			body === "value"
				? (result as { readonly value: string }).value
				: result === undefined
					? "null"
					: encodeResult(operation, result);
		reply.code(status).header("Content-Type", jsonType).send(text);
	};
}

function headerWriter({ name, field, as }: HttpResponseHeader): (reply: FastifyReply, result: unknown) => void {
	const path = field === "" ? [] : field.split(".");
	return (reply, result) => {
		let value = result;
		for (const part of path) value = (value as Record<string, unknown> | undefined)?.[part];
		if (value !== undefined) reply.header(name, as === "etag" ? `"${value}"` : String(value));
	};
}

/** Whether `If-None-Match` names the version (RFC 9110, section 13.1.2: compared weakly). */
function isKnown(header: string | undefined, tag: string): boolean {
	if (header === undefined) return false;
	if (header.trim() === "*") return true;
	return header.split(",").some((one) => one.trim().replace(/^W\//, "") === tag);
}
