import type { FastifyInstance } from "fastify";
import { RuntimeError } from "../contract/errors.ts";

export interface StatusRoutesOptions {
	/** False while the host ends. */
	readonly isReady: () => boolean;
	/** The OpenAPI document of the server. */
	readonly document: object | (() => object);
	/** Where the document is; `/openapi.json` when not given. */
	readonly documentPath?: string;
}

/** Health, readiness and the OpenAPI document: for everybody, without a credential. */
export async function statusRoutes(server: FastifyInstance, options: StatusRoutesOptions): Promise<void> {
	const { isReady, document, documentPath = "/openapi.json" } = options;
	let text: string | undefined;
	server.get("/healthz", { schema: describe("getHealth", "Whether the process answers.") }, async () => ({ status: "ok" }));
	server.get("/readyz", { schema: describe("getReadiness", "Whether the host takes new work.") }, async () => {
		if (!isReady()) throw new RuntimeError("unavailable", "The host is shutting down.");
		return { status: "ready" };
	});
	server.get(documentPath, { schema: { hide: true } }, (_request, reply) => {
		text ??= JSON.stringify(typeof document === "function" ? document() : document);
		return reply.header("Content-Type", "application/json; charset=utf-8").send(text);
	});
}

/** For the document of a server that makes it from its routes. */
const describe = (operationId: string, summary: string) => ({
	operationId,
	summary,
	tags: ["status"],
	security: [],
	response: { 200: { type: "object", properties: { status: { type: "string" } }, required: ["status"] } },
});
