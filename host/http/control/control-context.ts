import type { FastifyReply, FastifyRequest } from "fastify";
import type { ExternalRun } from "../../executors/external.ts";
import type { Host } from "../../host.ts";
import type { ExecutionTokens } from "../../tokens/execution-tokens.ts";
import { problem } from "./schemas.ts";

/** What the routes of the control API work with. */
export interface ControlContext {
	readonly host: Host;
	readonly tokens: ExecutionTokens;
	readonly sidecars: SidecarIssuer | undefined;
	/** Notes what the operator of this request is about to do. */
	note(request: FastifyRequest, action: Omit<ControlAction, "actor">): Promise<void>;
}

/** Makes what a process needs to be the sidecar of a run: a secret. */
export interface SidecarIssuer {
	issue(run: ExternalRun): Promise<object>;
}

declare module "fastify" {
	interface FastifyRequest {
		/** The name of the operator. */
		operator: string;
		/** The body as it was received. */
		bodyText: string;
	}
}

/** What an operator does, for the audit log. Values and secrets are never in it. */
export interface ControlAction {
	readonly action: string;
	readonly actor: string;
	readonly namespace?: string;
	readonly execution?: string;
	/** The name of a variable, the id of a token or bundle. */
	readonly key?: string;
}

/** Sends a JSON text as it is. */
export function sendJson(reply: FastifyReply, text: string, status = 200): FastifyReply {
	return reply.code(status).header("Content-Type", "application/json; charset=utf-8").send(text);
}

/** The responses of a route, with those that every route can give. */
export function responses(own: Readonly<Record<number, object>>): Record<string, object> {
	const failure = (text: string) => ({
		description: text,
		content: { "application/problem+json": { schema: problem } },
	});
	return {
		...own,
		"400": failure("`invalid`: the request is malformed."),
		"401": failure("`unauthenticated`: no operator's credential."),
		"404": failure("`not-found`: there is no such thing."),
		"4XX": failure("Another error of the request."),
		"5XX": failure("The host could not answer."),
	};
}
