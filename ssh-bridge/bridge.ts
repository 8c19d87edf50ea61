import type { Server, Socket } from "node:net";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { AuditLog } from "../host/audit.ts";
import { RuntimeError } from "../host/contract/errors.ts";
import type { Limits } from "../host/contract/limits.ts";
import type { ServedRun } from "../host/executors/served-runs.ts";
import { whenReady } from "../host/helpers/answer.ts";
import { tellingFailures } from "../host/http/authentication-failures.ts";
import { canonicalAddress } from "../host/http/client-address.ts";
import { identifyByToken, requireBearer } from "../host/http/credentials.ts";
import type { Identify } from "../host/http/routes.ts";
import { runtimeApi } from "../host/http/runtime-api.ts";
import { createServer, type ServerTls } from "../host/http/server.ts";
import { refusal, type Traffic } from "../host/http/traffic.ts";
import type { ExecutionTokens, VerifiedToken } from "../host/tokens/execution-tokens.ts";
import { AddressLimits, type AddressUsage } from "./address-limits.ts";

export interface BridgeOptions {
	/** Without it the server has to be one of this machine only. */
	readonly tls?: ServerTls | undefined;
	/** Whether its clients have addresses: those of a Unix socket have none, and are this account. */
	readonly hasAddresses: boolean;
	/** Those of the host. */
	readonly limits: Limits;
	readonly tokens: ExecutionTokens;
	/** Shared with the other doors of the process, so that a namespace has its rates once. */
	readonly traffic: Traffic;
	/** Told of those who are refused. */
	readonly audit?: AuditLog | undefined;
	/** False while the host ends. */
	readonly isReady: () => boolean;
	/** Called with what went wrong in the host itself; clients get a neutral message. */
	readonly onInternalError?: (error: Error) => void;
}

/** Makes the public door of scripts, which tells them by their execution tokens alone. It listens where it is told to. */
export async function createBridge(options: BridgeOptions): Promise<FastifyInstance> {
	const { tls, hasAddresses, limits, tokens, traffic, audit, isReady, onInternalError } = options;
	const server = createServer({
		maxConnections: limits.maxConnections,
		...(tls && { tls, pauseOnConnect: hasAddresses }),
		...(onInternalError && { onInternalError }),
	});
	const connections = new RunConnections();
	const byToken = identifyByToken(tokens, "bridge");
	const identify: Identify<VerifiedToken> = (request) => whenReady(byToken(request), (token) => connections.join(request, token));
	if (!hasAddresses) {
		await server.register(runtimeApi, { identify: tellingFailures("bridge", audit, identify), tokens, traffic, isReady });
		return server;
	}
	const addresses = new AddressLimits(limits);
	const usageOf = usageOfRequests(addresses);
	limitConnections(server.server, addresses, tls !== undefined);
	server.addHook("onRequest", (request, _reply, done) => {
		usageOf(request).takeRequest();
		done();
	});
	await server.register(runtimeApi, {
		identify: limitFailures({ limits, tokens, audit, usageOf }, tellingFailures("bridge", audit, identify)),
		tokens,
		traffic,
		originOf: usageOf,
		isReady,
	});
	return server;
}

/** Cuts connections of an address that has too many, before anything of them is read; handshakes of the others take turns. */
function limitConnections(server: Server, addresses: AddressLimits, isTls: boolean): void {
	const listeners = server.listeners("connection") as readonly ((socket: Socket) => void)[];
	server.removeAllListeners("connection");
	server.on("connection", (socket: Socket) => {
		const { remoteAddress } = socket;
		const usage = remoteAddress === undefined ? undefined : addresses.of(remoteAddress);
		if (!usage?.connect()) return void socket.destroy();
		const begin = (): void => {
			for (const listener of listeners) listener.call(server, socket);
		};
		socket.once("close", () => usage.disconnect());
		if (!isTls) return begin();
		// A connection that waits for its handshake is not read.
		socket.on("error", () => socket.destroy());
		socket.once("close", usage.awaitHandshake(begin));
	});
}

function usageOfRequests(addresses: AddressLimits): (request: FastifyRequest) => AddressUsage {
	const usages = new WeakMap<Socket, AddressUsage>();
	return ({ raw: { socket } }) => {
		let usage = usages.get(socket);
		if (!usage) {
			// One that was cut meanwhile has no address any more.
			usage = addresses.of(socket.remoteAddress ?? "");
			usages.set(socket, usage);
		}
		return usage;
	};
}

interface FailureLimits extends Pick<BridgeOptions, "limits" | "tokens" | "audit"> {
	readonly usageOf: (request: FastifyRequest) => AddressUsage;
}

/**
 * `identify` for addresses that have not failed too often. From the others it takes tokens that were verified before, which costs nothing: who shares
 * the address with an attacker goes on working. It throws `rate-limited` for all else, before a signature is verified.
 */
function limitFailures(
	{ limits, tokens, audit, usageOf }: FailureLimits,
	identify: Identify<VerifiedToken>,
): Identify<VerifiedToken> {
	return (request) => {
		const usage = usageOf(request);
		if (isKnown(tokens, request)) {
			try {
				return identify(request);
			} catch (error) {
				if (isFailure(error)) usage.takeFailure();
				throw error;
			}
		}
		const waitMs = usage.takeFailure();
		if (waitMs > 0) {
			const reason = "This address has failed to authenticate too often";
			audit?.authenticationFailure({ door: "bridge", reason: `${reason}.`, address: canonicalAddress(request.ip) });
			throw refusal(limits, "maxAddressFailuresPerMinute", reason, waitMs);
		}
		return Promise.resolve(request)
			.then(identify)
			.then(
				(token) => {
					usage.giveBackFailure();
					return token;
				},
				(error: unknown) => {
					if (!isFailure(error)) usage.giveBackFailure();
					throw error;
				},
			);
	};
}

const isFailure = (error: unknown): boolean => error instanceof RuntimeError && error.code === "unauthenticated";

function isKnown(tokens: ExecutionTokens, request: FastifyRequest): boolean {
	try {
		return tokens.isKnown(requireBearer(request));
	} catch {
		return false;
	}
}

/** How many connections each run has. A connection is of the run that used it last. */
class RunConnections {
	readonly #runs = new WeakMap<Socket, ServedRun>();
	readonly #counts = new WeakMap<ServedRun, number>();

	/** Returns the token. Throws `rate-limited` when its run has too many connections beside this one. */
	join({ raw: { socket } }: FastifyRequest, token: VerifiedToken): VerifiedToken {
		const { run } = token;
		const former = this.#runs.get(socket);
		if (former === run) return token;
		const count = this.#counts.get(run) ?? 0;
		const { limits } = run.execution;
		if (count >= limits.maxRunConnections) throw refusal(limits, "maxRunConnections", "This run has too many connections", 100);
		if (socket.destroyed) return token;
		if (former) this.#leave(former);
		else socket.once("close", () => this.#leave(this.#runs.get(socket) as ServedRun));
		this.#runs.set(socket, run);
		this.#counts.set(run, count + 1);
		return token;
	}

	#leave(run: ServedRun): void {
		this.#counts.set(run, (this.#counts.get(run) ?? 1) - 1);
	}
}
