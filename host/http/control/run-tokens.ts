import type { FastifyInstance } from "fastify";
import { RuntimeError } from "../../contract/errors.ts";
import { excerpt } from "../../contract/excerpt.ts";
import type { ExternalRun } from "../../executors/external.ts";
import type { TokenTerms } from "../../tokens/execution-tokens.ts";
import { type ControlContext, responses, sendJson } from "./control-context.ts";
import { requireRun } from "./runs.ts";
import * as schemas from "./schemas.ts";

/** Mints and revokes tokens for runs that somebody else starts. */
export async function runTokenRoutes(server: FastifyInstance, context: ControlContext): Promise<void> {
	const { tokens } = context;
	const about = { tags: ["tokens"] };

	server.post<{ Params: { id: string }; Body: TokenTerms | undefined }>(
		"/runs/:id/tokens",
		{
			schema: {
				...about,
				operationId: "mintToken",
				summary: "Makes an execution token for an external run. The answer is the only place where it is ever shown.",
				params: schemas.runParameters,
				body: schemas.tokenRequest,
				response: responses({ 201: schemas.issuedToken }),
			},
		},
		async (request, reply) => {
			const { id } = request.params;
			const run = await requireExternal(context, id);
			await context.note(request, { action: "mint-token", execution: id, namespace: run.execution.namespace });
			const { expiresAt, ...issued } = await tokens.issue(run, { ...request.body, audience: request.body?.audience ?? "bridge" });
			return sendJson(reply, JSON.stringify({ ...issued, expiresAt: new Date(expiresAt).toISOString() }), 201);
		},
	);

	server.delete<{ Params: { id: string } }>(
		"/runs/:id/tokens",
		{
			schema: {
				...about,
				operationId: "revokeTokens",
				summary: "Makes every token of a run worthless at once.",
				params: schemas.runParameters,
				response: responses({ 200: schemas.revoked }),
			},
		},
		async (request) => revoke(request.params.id, undefined, (action) => context.note(request, action)),
	);

	server.delete<{ Params: { id: string; token: string } }>(
		"/runs/:id/tokens/:token",
		{
			schema: {
				...about,
				operationId: "revokeToken",
				summary: "Makes one token of a run worthless at once.",
				params: {
					type: "object",
					properties: { ...schemas.runParameters.properties, token: { type: "string" } },
					required: ["id", "token"],
				},
				response: responses({ 200: schemas.revoked }),
			},
		},
		async (request) => revoke(request.params.id, request.params.token, (action) => context.note(request, action)),
	);

	async function revoke(
		id: string,
		token: string | undefined,
		note: (action: { action: string; execution: string; namespace: string; key?: string }) => Promise<void>,
	): Promise<{ readonly revoked: number }> {
		const run = await requireExternal(context, id);
		await note({
			action: "revoke-token",
			execution: id,
			namespace: run.execution.namespace,
			...(token !== undefined && { key: token }),
		});
		const revoked = tokens.revoke(run, token);
		if (token !== undefined && revoked === 0)
			throw new RuntimeError("not-found", `The run has no token ${excerpt(token)} that is good.`);
		return { revoked };
	}
}

/** The run, if it is external and under way in this process. Throws `not-found`, `unsupported` or `cancelled`. */
export async function requireExternal(context: ControlContext, id: string): Promise<ExternalRun> {
	const run = context.host.external(id);
	if (run) return run;
	const record = await requireRun(context, id);
	if (record.mode !== "external")
		throw new RuntimeError("invalid", `The run ${id} is in mode ${record.mode}; tokens are for external runs.`);
	throw new RuntimeError("cancelled", `The run ${id} is not under way here.`);
}
