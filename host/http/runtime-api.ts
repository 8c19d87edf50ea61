import type { FastifyInstance, FastifyRequest } from "fastify";
import openapi from "../../guest-sdks/openapi.json" with { type: "json" };
import type { ExecutionTokens, VerifiedToken } from "../tokens/execution-tokens.ts";
import { type Identify, operationRoutes } from "./routes.ts";
import { statusRoutes } from "./status-routes.ts";
import type { CallOrigin, Traffic } from "./traffic.ts";

export interface RuntimeApiOptions {
	readonly identify: Identify<VerifiedToken>;
	readonly tokens: Pick<ExecutionTokens, "renew">;
	readonly traffic: Traffic;
	/** Where a request comes from, when that has limits of its own. */
	readonly originOf?: (request: FastifyRequest) => CallOrigin | undefined;
	/** False while the host ends: load balancers send nobody any more. */
	readonly isReady: () => boolean;
}

/** What a door serves, all of it: the operations, the renewal of tokens, health, and the document that describes them. */
export async function runtimeApi(server: FastifyInstance, options: RuntimeApiOptions): Promise<void> {
	const { identify, tokens, traffic, originOf, isReady } = options;
	await server.register(statusRoutes, { isReady, document: openapi });
	await server.register(operationRoutes, {
		identify,
		traffic,
		originOf,
		renew: async (request) => tokens.renew(await identify(request)),
	});
}
