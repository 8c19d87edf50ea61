import { posix } from "node:path";
import type { Duplex } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { AuditLog } from "../host/audit.ts";
import { RuntimeError } from "../host/contract/errors.ts";
import { type Limits, limitDefinitions } from "../host/contract/limits.ts";
import type { ServedRun } from "../host/executors/served-runs.ts";
import type { ScriptDoor, ScriptDoors, ScriptPlace } from "../host/executors/ssh/script-door.ts";
import { whenReady } from "../host/helpers/answer.ts";
import { tellingFailures } from "../host/http/authentication-failures.ts";
import { identifyByToken } from "../host/http/credentials.ts";
import { runtimeApi } from "../host/http/runtime-api.ts";
import { createServer } from "../host/http/server.ts";
import type { Traffic } from "../host/http/traffic.ts";
import type { ExecutionTokens, IssuedToken, VerifiedToken } from "../host/tokens/execution-tokens.ts";
import { attachServer, endServer } from "../sidecar/unheard-server.ts";
import { StreamSocket } from "./stream-socket.ts";

export interface TunnelDoorsOptions {
	/** Those of the host. */
	readonly limits: Pick<Limits, "maxConnections">;
	readonly tokens: ExecutionTokens;
	/** Shared with the other doors of the process, so that a namespace has its rates once. */
	readonly traffic: Traffic;
	/** Told of those who are refused. */
	readonly audit?: AuditLog | undefined;
	/** Called with what went wrong in the host itself; clients get a neutral message. */
	readonly onInternalError?: (error: Error) => void;
}

/** Opens the doors of runs that have a socket on their host, which the SSH connection carries: one HTTP server for all of them. */
export async function createTunnelDoors(options: TunnelDoorsOptions): Promise<TunnelDoors> {
	const doors = new TunnelDoors(options);
	await doors.start();
	return doors;
}

/** The door through which a connection came. */
const doorOf = new WeakMap<object, TunnelDoor>();

const socketName = "api.sock";
/** A longer path is cut by some systems, and two runs would have one socket. */
const maxSocketPathBytes = 100;

export class TunnelDoors implements ScriptDoors, AsyncDisposable {
	readonly #options: TunnelDoorsOptions;
	readonly #server: FastifyInstance;
	readonly #open = new Set<TunnelDoor>();
	#connections = 0;

	constructor(options: TunnelDoorsOptions) {
		this.#options = options;
		const { onInternalError } = options;
		this.#server = createServer(onInternalError ? { onInternalError } : {});
	}

	async start(): Promise<void> {
		const { tokens, traffic, audit } = this.#options;
		const byToken = identifyByToken(tokens, "tunnel");
		const identify = (request: FastifyRequest): VerifiedToken | Promise<VerifiedToken> => {
			const door = doorOf.get(request.raw.socket) as TunnelDoor;
			return whenReady(byToken(request), (token) => door.requireOwn(token));
		};
		await this.#server.register(runtimeApi, {
			identify: tellingFailures("tunnel", audit, identify),
			tokens,
			traffic,
			isReady: () => true,
		});
		await attachServer(this.#server);
	}

	async open(run: ServedRun, { host, line, directory }: ScriptPlace): Promise<ScriptDoor> {
		const path = posix.join(directory, socketName);
		const bytes = Buffer.byteLength(path);
		if (bytes > maxSocketPathBytes)
			throw new RuntimeError(
				"unavailable",
				`The socket path ${path} on the host ${host.name} has ${bytes} bytes; the limit is ${maxSocketPathBytes}. Give the host a shorter directory.`,
			);
		const { tokens } = this.#options;
		const issued = await tokens.issue(run, { audience: "tunnel", lifetimeMs: limitDefinitions.tokenLifetimeMs.maximum });
		const door = new TunnelDoor(run, tokens, issued, path, () => this.#open.delete(door));
		this.#open.add(door);
		try {
			const listener = await line.listen(path, (stream) => this.#take(stream, door));
			await door.keep(listener);
			return door;
		} catch (error) {
			await door[Symbol.asyncDispose]();
			if (error instanceof RuntimeError) throw error;
			throw new RuntimeError(
				"unavailable",
				`The host ${host.name} does not let its connection have the socket ${path}: ${(error as Error).message}. Its sshd has to allow it (AllowStreamLocalForwarding), or scripts there reach their helpers in another way (reach).`,
				{},
				{ cause: error },
			);
		}
	}

	#take(stream: Duplex, door: TunnelDoor): void {
		const socket = new StreamSocket(stream);
		if (this.#connections >= this.#options.limits.maxConnections || !door.admit(socket)) return void socket.destroy();
		this.#connections += 1;
		socket.once("close", () => {
			this.#connections -= 1;
		});
		doorOf.set(socket, door);
		this.#server.server.emit("connection", socket);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all([...this.#open].map((door) => door[Symbol.asyncDispose]()));
		await endServer(this.#server);
	}
}

/** The door of one run. */
class TunnelDoor implements ScriptDoor {
	readonly environment: Readonly<Record<string, string>>;
	readonly #run: ServedRun;
	readonly #tokens: ExecutionTokens;
	readonly #tokenId: string;
	readonly #forget: () => void;
	readonly #connections = new Set<StreamSocket>();
	#listener: AsyncDisposable | undefined;
	#closing: Promise<void> | undefined;
	readonly #onEnd = (): void => void this[Symbol.asyncDispose]();

	constructor(run: ServedRun, tokens: ExecutionTokens, issued: IssuedToken, socketPath: string, forget: () => void) {
		this.#run = run;
		this.#tokens = tokens;
		this.#tokenId = issued.id;
		this.#forget = forget;
		this.environment = { CRONIUM_SOCKET: socketPath, CRONIUM_EXECUTION_TOKEN: issued.token };
		run.ended.addEventListener("abort", this.#onEnd, { once: true });
	}

	/** Throws `unauthenticated` for a token of another run. */
	requireOwn(token: VerifiedToken): VerifiedToken {
		if (token.run === this.#run && !this.#closing) return token;
		throw new RuntimeError("unauthenticated", "The execution token is not of the run whose door this is.");
	}

	/** Takes a connection, unless there are too many or the door is closed. */
	admit(socket: StreamSocket): boolean {
		if (this.#closing || this.#connections.size >= this.#run.execution.limits.maxRunConnections) return false;
		this.#connections.add(socket);
		socket.once("close", () => this.#connections.delete(socket));
		return true;
	}

	/** Takes what listens. Throws `cancelled` when the run has ended while the host was asked. */
	async keep(listener: AsyncDisposable): Promise<void> {
		this.#listener = listener;
		if (!this.#closing && !this.#run.ended.aborted) return;
		await stopListening(listener);
		throw new RuntimeError("cancelled", `The run ${this.#run.execution.id} has ended.`);
	}

	[Symbol.asyncDispose](): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #close(): Promise<void> {
		this.#run.ended.removeEventListener("abort", this.#onEnd);
		this.#forget();
		this.#tokens.revoke(this.#run, this.#tokenId);
		for (const socket of this.#connections) socket.destroy();
		if (this.#listener) await stopListening(this.#listener);
	}
}

/** A connection that has gone listens no more, whatever it says of it. */
async function stopListening(listener: AsyncDisposable): Promise<void> {
	await listener[Symbol.asyncDispose]().then(undefined, () => undefined);
}
