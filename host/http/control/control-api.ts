import type { IncomingMessage } from "node:http";
import fastifySwagger, { type FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import { Ajv } from "ajv";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { RuntimeError } from "../../contract/errors.ts";
import { requireJson } from "../../contract/json-text.ts";
import { describeLimit } from "../../contract/limits.ts";
import type { Host } from "../../host.ts";
import type { ExecutionTokens } from "../../tokens/execution-tokens.ts";
import { readBody } from "../request-body.ts";
import { statusRoutes } from "../status-routes.ts";
import { bundleRoutes } from "./bundles.ts";
import type { ControlAction, ControlContext, SidecarIssuer } from "./control-context.ts";
import { runLogRoutes } from "./run-logs.ts";
import { runSidecarRoutes } from "./run-sidecars.ts";
import { runTokenRoutes } from "./run-tokens.ts";
import { runRoutes } from "./runs.ts";
import { variableRoutes } from "./variables.ts";

export interface ControlApiOptions {
	readonly host: Host;
	readonly tokens: ExecutionTokens;
	/** Makes the credentials of sidecar processes, where the host takes them. */
	readonly sidecars?: SidecarIssuer | undefined;
	/** The name of the operator whose credential the request carries. Throws `unauthenticated`. */
	readonly identifyOperator: (request: FastifyRequest) => string;
	/** Makes a note of an action before it is done. Resolves when the note is durable. */
	readonly audit: (action: ControlAction) => Promise<void>;
	readonly isReady: () => boolean;
}

/** The prefix of every route. */
const prefix = "/control/v1";

/** The API for orchestrators: starts runs, and looks after what they leave. Every call needs the credential of an operator. */
export async function controlApi(server: FastifyInstance, options: ControlApiOptions): Promise<void> {
	const { host, tokens, sidecars, audit, identifyOperator, isReady } = options;
	useSchemas(server);
	await server.register(fastifySwagger, { openapi: description });
	await server.register(statusRoutes, { isReady, document: () => server.swagger(), documentPath: "/control/openapi.json" });
	const context: ControlContext = {
		host,
		tokens,
		sidecars,
		note: (request, action) => audit({ ...action, actor: request.operator }),
	};
	await server.register(
		async (routes) => {
			routes.decorateRequest("operator", "");
			routes.decorateRequest("bodyText", "");
			routes.addHook("onRequest", async (request) => {
				request.operator = identifyOperator(request);
			});
			routes.addContentTypeParser("application/json", async (request: FastifyRequest, payload: IncomingMessage) => {
				const { limits } = host;
				request.bodyText = await readBody(payload, describeLimit(limits, "maxControlBodyBytes"), "text");
				if (request.bodyText === "") return undefined;
				return JSON.parse(requireJson(request.bodyText, limits, { name: "the body", maxBytesLimit: "maxControlBodyBytes" }));
			});
			for (const plugin of [runRoutes, runLogRoutes, runTokenRoutes, runSidecarRoutes, bundleRoutes, variableRoutes])
				await routes.register(plugin, context);
		},
		{ prefix },
	);
}

const description: NonNullable<FastifyDynamicSwaggerOptions["openapi"]> = {
	openapi: "3.1.1",
	info: {
		title: "Cronium control API",
		version: "1.0.0",
		description:
			"For orchestrators: start runs, follow them, look after their variables, and mint tokens for scripts that run elsewhere.",
	},
	components: {
		securitySchemes: {
			operator: {
				type: "http",
				scheme: "bearer",
				description: "The operator's credential: the file `keys/operator.token` of the data directory.",
			},
		},
	},
	security: [{ operator: [] }],
};

/** Bodies are taken as they are; query parameters are texts, and become what their schemas say. Answers are written as they are. */
function useSchemas(server: FastifyInstance): void {
	const strict = new Ajv({ strict: false, useDefaults: true });
	const coercing = new Ajv({ strict: false, useDefaults: true, coerceTypes: true });
	server.setValidatorCompiler(({ schema, httpPart }) => (httpPart === "body" ? strict : coercing).compile(schema as object));
	server.setSerializerCompiler(() => (value) => JSON.stringify(value));
	server.setSchemaErrorFormatter(([first], part) => {
		const where = `${part}${first?.instancePath ?? ""}`.replaceAll("/", ".");
		const { additionalProperty, allowedValues } = (first?.params ?? {}) as {
			additionalProperty?: string;
			allowedValues?: readonly string[];
		};
		const detail = additionalProperty ?? allowedValues?.join(", ");
		return new RuntimeError(
			"invalid",
			`${where} ${first?.message ?? "is malformed"}${detail === undefined ? "" : `: ${detail}`}.`,
		);
	});
}
