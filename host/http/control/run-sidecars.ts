import type { FastifyInstance } from "fastify";
import { RuntimeError } from "../../contract/errors.ts";
import { type ControlContext, responses, sendJson } from "./control-context.ts";
import { requireExternal } from "./run-tokens.ts";
import * as schemas from "./schemas.ts";

/** Makes what sidecar processes need. */
export async function runSidecarRoutes(server: FastifyInstance, context: ControlContext): Promise<void> {
	server.post<{ Params: { id: string } }>(
		"/runs/:id/sidecar",
		{
			schema: {
				tags: ["sidecars"],
				operationId: "makeSidecar",
				summary:
					"Makes the credentials for a sidecar process of an external run. The answer is the only place where they are ever shown.",
				params: schemas.runParameters,
				response: responses({ 201: schemas.sidecarCredentials }),
			},
		},
		async (request, reply) => {
			const { id } = request.params;
			const run = await requireExternal(context, id);
			if (!context.sidecars)
				throw new RuntimeError("unsupported", "This host takes no sidecar processes; start it with --sidecar-listen.");
			await context.note(request, { action: "make-sidecar", execution: id, namespace: run.execution.namespace });
			return sendJson(reply, JSON.stringify(await context.sidecars.issue(run)), 201);
		},
	);
}
