import type { FastifyInstance } from "fastify";
import type { BundleHead } from "../../bundles.ts";
import { RuntimeError } from "../../contract/errors.ts";
import { excerpt } from "../../contract/excerpt.ts";
import { type ControlContext, responses } from "./control-context.ts";
import * as schemas from "./schemas.ts";

/** Keeps scripts that are run many times. */
export async function bundleRoutes(server: FastifyInstance, context: ControlContext): Promise<void> {
	const { host } = context;
	const about = { tags: ["bundles"] };

	server.post(
		"/bundles",
		{
			schema: {
				...about,
				operationId: "uploadBundle",
				summary: "Keeps a bundle; the same one is kept once.",
				body: schemas.bundleRequest,
				response: responses({ 201: schemas.bundleHead }),
			},
		},
		async (request, reply) => {
			await context.note(request, { action: "upload-bundle" });
			return reply.code(201).send(describe(await host.bundles.put(request.bodyText)));
		},
	);

	server.get(
		"/bundles",
		{
			schema: {
				...about,
				operationId: "listBundles",
				summary: "Lists the bundles.",
				response: responses({ 200: schemas.bundleList }),
			},
		},
		async () => ({ bundles: (await host.bundles.list()).map(describe) }),
	);

	server.delete<{ Params: { bundle: string } }>(
		"/bundles/:bundle",
		{
			schema: {
				...about,
				operationId: "deleteBundle",
				summary: "Removes a bundle. Runs that have begun are not concerned.",
				params: { type: "object", properties: { bundle: { type: "string" } }, required: ["bundle"] },
				response: responses({ 204: { type: "null", description: "Done." } }),
			},
		},
		async (request, reply) => {
			const { bundle } = request.params;
			await context.note(request, { action: "delete-bundle", key: bundle });
			if (!(await host.bundles.delete(bundle))) throw new RuntimeError("not-found", `There is no bundle ${excerpt(bundle)}.`);
			return reply.code(204).send();
		},
	);
}

const describe = ({ createdAt, ...head }: BundleHead) => ({ ...head, createdAt: new Date(createdAt).toISOString() });
