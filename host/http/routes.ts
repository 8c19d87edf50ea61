import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Operation, operations } from "../contract/generated/operations.ts";
import type { Answer, CallContext, Scope } from "../contract/generated/types.ts";
import { describeLimit } from "../contract/limits.ts";
import type { ServedRun } from "../executors/served-runs.ts";
import type { IssuedToken } from "../tokens/execution-tokens.ts";
import { largeBodyBytes } from "./large-bodies.ts";
import { answerWriter } from "./operation-answer.ts";
import { bodyLimit, type RequestParts, requestReader } from "./operation-request.ts";
import { readBody } from "./request-body.ts";
import { type CallOrigin, type CallTraffic, type Traffic, tellRate } from "./traffic.ts";

/** Whoever makes a call, once it is known: a run, and what its credential allows of the run's scopes. */
export interface Caller {
	readonly run: ServedRun;
	readonly scopes: readonly Scope[];
}

/** Finds out who makes a request. Throws `unauthenticated`. What differs between doors. */
export type Identify<Known extends Caller = Caller> = (request: FastifyRequest) => Known | Promise<Known>;

export interface OperationRoutesOptions {
	readonly identify: Identify;
	readonly traffic: Traffic;
	/** Where a request comes from, when that has limits of its own. */
	readonly originOf?: ((request: FastifyRequest) => CallOrigin | undefined) | undefined;
	/** Makes a new token for the holder of the one that the request came with. */
	readonly renew: (request: FastifyRequest) => Promise<Pick<IssuedToken, "token" | "expiresAt">>;
}

declare module "fastify" {
	interface FastifyRequest {
		/** Known from the first hook on. */
		caller: Caller | null;
		traffic: CallTraffic | null;
	}
}

/** Every operation of the contract, as a Fastify plugin. It holds no decisions: who is it, is the shape right, call the helper. */
export async function operationRoutes(
	server: FastifyInstance,
	{ identify, traffic, originOf, renew }: OperationRoutesOptions,
): Promise<void> {
	server.decorateRequest("caller", null);
	server.decorateRequest("traffic", null);
	const admit = (request: FastifyRequest, reply: FastifyReply, caller: Caller): void => {
		const admitted = traffic.admit(caller.run, originOf?.(request));
		request.caller = caller;
		request.traffic = admitted;
		tellRate(reply, admitted);
		// Also when the connection is cut before there is an answer, or was while the token was verified.
		if (reply.raw.closed) admitted.close();
		else reply.raw.on("close", () => admitted.close());
	};
	// Before the body is read: who may not call does not get to send one.
	server.addHook("onRequest", (request, reply, done) => {
		try {
			const caller = identify(request);
			if (caller instanceof Promise) {
				caller.then((known) => admit(request, reply, known)).then(() => done(), done);
				return;
			}
			admit(request, reply, caller);
			done();
		} catch (error) {
			done(error as Error);
		}
	});
	server.addContentTypeParser("application/json", async (request: FastifyRequest, payload: IncomingMessage) => {
		const { run } = request.caller as Caller;
		const { operation } = request.routeOptions.config as { operation?: Operation };
		const limit = describeLimit(run.execution.limits, operation ? bodyLimit(operation) : "maxValueBytes");
		const call = request.traffic as CallTraffic;
		// What comes without a length may have all that is allowed.
		call.reserve(Math.min(Number(request.headers["content-length"] ?? limit.value), limit.value));
		const body = await readBody(payload, limit, "text");
		if (Buffer.byteLength(body) > largeBodyBytes) await traffic.largeBodies.turn(run.execution.namespace, call);
		// A body can be held back until the token has been revoked.
		await identify(request);
		return body;
	});
	// Not an operation: its answer is a secret, so it is in no journal, and no idempotency key brings it back.
	server.post("/v1/token", async (request) => {
		const { token, expiresAt } = await renew(request);
		return { token, expiresAt: new Date(expiresAt).toISOString() };
	});
	for (const operation of operations) if (operation.http.servedBy === undefined) addRoute(server, operation);
}

function addRoute(server: FastifyInstance, operation: Operation): void {
	const { method, path } = operation.http;
	const read = requestReader(operation);
	const write = answerWriter(operation);
	const url = path.replace(/\{(\w+)\}/g, ":$1");
	server.route({
		method,
		url,
		config: { operation },
		handler: (request, reply) => {
			const { run } = request.caller as Caller;
			const call = request.traffic as CallTraffic;
			// Cut before it was judged: there is nobody to acknowledge it to.
			if (call.isClosed) return;
			const fail = (error: unknown): void => {
				reply.send(error);
				call.end();
			};
			const succeed = (result: unknown): void => {
				try {
					write(request, reply, result);
					call.end();
				} catch (error) {
					fail(error);
				}
			};
			call.begin();
			try {
				const given = read(request as RequestParts, run.execution.limits);
				const answer = invoke(run, operation, given, callContext(request, operation, request.caller as Caller));
				if (answer instanceof Promise) answer.then(succeed, fail);
				else succeed(answer);
			} catch (error) {
				fail(error);
			}
			// Nothing is returned: Fastify would wait for a reply that it got, with listeners of its own.
		},
	});
}

type HelperFunction = (...given: readonly unknown[]) => Answer<unknown>;

function invoke({ helpers }: ServedRun, operation: Operation, given: readonly unknown[], call: CallContext): Answer<unknown> {
	const helper = helpers[operation.interface] as unknown as Record<string, HelperFunction>;
	return (helper[operation.method] as HelperFunction)(...given, call);
}

function callContext({ id, headers }: FastifyRequest, operation: Operation, { run, scopes }: Caller): CallContext {
	// As in the sandbox, calls belong to the trace of their run when they say nothing else.
	const { traceparent = run.execution.traceparent, "idempotency-key": idempotencyKey } = headers;
	return {
		callId: id,
		scopes,
		...(typeof traceparent === "string" && { traceparent }),
		// Node has joined a header that was given twice; what is no key is refused as one.
		...(operation.effect && idempotencyKey !== undefined && { idempotencyKey: String(idempotencyKey) }),
	};
}
