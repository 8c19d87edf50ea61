import type { TLSSocket } from "node:tls";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { AuditLog } from "../host/audit.ts";
import { RuntimeError } from "../host/contract/errors.ts";
import type { Limits } from "../host/contract/limits.ts";
import type { RunDoor, RunDoorPlace, RunDoors } from "../host/executors/container/run-door.ts";
import type { ServedRun } from "../host/executors/served-runs.ts";
import { whenReady } from "../host/helpers/answer.ts";
import { tellingFailures } from "../host/http/authentication-failures.ts";
import { identifyByToken } from "../host/http/credentials.ts";
import { runtimeApi } from "../host/http/runtime-api.ts";
import { createServer } from "../host/http/server.ts";
import { Traffic } from "../host/http/traffic.ts";
import { connectionLimit } from "../host/process-limits.ts";
import { ExecutionTokens, type VerifiedToken } from "../host/tokens/execution-tokens.ts";
import { KeyRing } from "../host/tokens/key-ring.ts";
import { CertificateAuthority } from "./certificate-authority.ts";
import { readSubject } from "./certificate-kind.ts";
import { ServerIdentity } from "./certificates.ts";
import { DoorDirectory } from "./door-directory.ts";
import { HandshakeTurns } from "./handshake-turns.ts";
import { issueRunCredentials } from "./run-credentials.ts";
import { TlsListener } from "./tls-listener.ts";
import { attachServer, endServer } from "./unheard-server.ts";

export interface RunDoorsOptions {
	readonly dataDirectory: string;
	/** Those of the host. */
	readonly limits: Limits;
	/** Told of those who are refused. */
	readonly audit?: AuditLog | undefined;
	/** Shared with the other doors of the process, so that a namespace has its rates once. */
	readonly traffic?: Traffic;
	/**
	 * One listener for all runs instead of a socket for each, for engines that cannot mount one. `names` are those by which containers reach it, beside
	 * `localhost`. It is reached by whoever reaches the address, so it has to be asked for.
	 */
	readonly tcp?: { readonly host: string; readonly port: number; readonly names: readonly string[] };
	/** How long a token is good, in milliseconds; its holder can renew it. To the deadline of its run when not given. */
	readonly tokenLifetimeMs?: number;
	/** Called with what went wrong in the host itself; clients get a neutral message. */
	readonly onInternalError?: (error: Error) => void;
}

/** Opens the local doors of a host's runs: mutual TLS on a Unix socket for each, and the runtime API behind all of them. */
export async function createRunDoors(options: RunDoorsOptions): Promise<RunDoorServer> {
	const doors = new RunDoorServer(options);
	await doors.start();
	return doors;
}

/** How a connection was made: for the run whose certificate it has shown, at the door of that run. */
const connections = new WeakMap<object, OpenDoor>();

export class RunDoorServer implements RunDoors {
	readonly #options: RunDoorsOptions;
	readonly #authority: CertificateAuthority;
	readonly #identity: ServerIdentity;
	readonly #tokens: ExecutionTokens;
	readonly #turns: HandshakeTurns;
	readonly #server: FastifyInstance;
	readonly #doors = new Map<string, OpenDoor>();
	#tcp: TlsListener | undefined;

	constructor(options: RunDoorsOptions) {
		const { dataDirectory, limits, tcp, onInternalError } = options;
		this.#options = options;
		this.#authority = new CertificateAuthority(dataDirectory);
		this.#identity = new ServerIdentity(this.#authority, tcp?.names ?? []);
		this.#tokens = new ExecutionTokens(new KeyRing(dataDirectory), limits, (id) => this.#doors.get(id)?.run);
		this.#turns = new HandshakeTurns(limits.maxHandshakesPerSecond);
		this.#server = createServer(onInternalError ? { onInternalError } : {});
	}

	async start(): Promise<void> {
		const { audit, limits, tcp, traffic = new Traffic(limits) } = this.#options;
		const byToken = identifyByToken(this.#tokens, "sidecar");
		const identify = (request: FastifyRequest): VerifiedToken | Promise<VerifiedToken> => {
			const door = connections.get(request.raw.socket);
			if (!door) throw new RuntimeError("unauthenticated", "This connection has not shown the client certificate of the run.");
			return whenReady(byToken(request), (token) => door.requireOwn(token));
		};
		await this.#server.register(runtimeApi, {
			identify: tellingFailures("sidecar", audit, identify),
			tokens: { renew: (token) => this.#renew(token) },
			traffic,
			isReady: () => true,
		});
		await attachServer(this.#server);
		// Made now, so that the first run does not wait for it, and what is wrong with it is known.
		await this.#identity.current();
		if (!tcp) return;
		this.#tcp = await TlsListener.listen({
			address: tcp,
			maxConnections: connectionLimit(limits.maxConnections),
			lane: this.#turns.open(limits.maxHandshakesPerSecond),
			credentials: () => this.#identity.current(),
			onConnection: (socket) => this.#take(socket, undefined),
			onRefused: (address) => this.#tellRefused(address),
		});
	}

	/** The port of the listener for all runs, where there is one. */
	get port(): number | undefined {
		return this.#tcp?.port;
	}

	async open(run: ServedRun, { directory, groupId }: RunDoorPlace): Promise<RunDoor> {
		const { id, limits } = run.execution;
		if (this.#doors.has(id)) throw new RuntimeError("invalid", `The run ${id} has a door already.`);
		const door = new OpenDoor(run, new DoorDirectory(directory, groupId), () => this.#doors.delete(id));
		this.#doors.set(id, door);
		try {
			const [shown, credentials] = await Promise.all([
				this.#identity.current(),
				issueRunCredentials(run, this.#authority, this.#tokens, this.#options.tokenLifetimeMs),
			]);
			const { files } = door;
			files.writeCredentials(credentials);
			files.clearSocket();
			if (!this.#tcp) {
				door.listener = await TlsListener.listen({
					address: { path: files.socketPath },
					maxConnections: limits.maxRunConnections,
					lane: this.#turns.open(limits.maxRunHandshakesPerSecond),
					// What its clients were told to trust.
					credentials: () => shown,
					onConnection: (socket) => this.#take(socket, door),
					onRefused: () => this.#tellRefused(undefined),
				});
				files.openSocket();
			}
			door.requireLive();
			return door;
		} catch (error) {
			await door.discard();
			if (error instanceof RuntimeError) throw error;
			const { code = "unknown", path = directory } = error as NodeJS.ErrnoException;
			throw new RuntimeError("unavailable", `The door of the run ${id} cannot be made: ${code}, ${path}.`, {}, { cause: error });
		}
	}

	/** Takes a connection to the door of a run, or to the listener of all of them, where its certificate says which one it is for. */
	#take(socket: TLSSocket, door: OpenDoor | undefined): void {
		const certificate = socket.getPeerX509Certificate();
		const subject = certificate && readSubject(certificate);
		const own = subject?.kind === "run" ? this.#doors.get(subject.id) : undefined;
		if (own && (!door || own === door)) {
			if (own.connections.size >= own.run.execution.limits.maxRunConnections) return void socket.destroy();
			connections.set(socket, own);
			own.connections.add(socket);
			socket.once("close", () => own.connections.delete(socket));
		}
		// Whoever has shown another certificate of ours is told so.
		this.#server.server.emit("connection", socket);
	}

	#tellRefused(address: string | undefined): void {
		const reason = "The client has shown no certificate that this host has issued.";
		this.#options.audit?.authenticationFailure({ door: "sidecar", reason, ...(address !== undefined && { address }) });
	}

	/** The other processes of the container find the new token in the file, when theirs is refused. */
	async #renew(token: VerifiedToken) {
		const renewed = await this.#tokens.renew(token);
		const door = this.#doors.get(token.run.execution.id);
		if (door?.isOpen) door.files.write("token", renewed.token);
		return renewed;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all([...this.#doors.values()].map((door) => door[Symbol.asyncDispose]()));
		await this.#tcp?.[Symbol.asyncDispose]();
		await endServer(this.#server);
	}
}

/** The door of one run. */
class OpenDoor implements RunDoor {
	readonly run: ServedRun;
	readonly files: DoorDirectory;
	readonly connections = new Set<TLSSocket>();
	listener: TlsListener | undefined;
	readonly #forget: () => void;
	#closing: Promise<void> | undefined;
	readonly #onEnd = (): void => void this[Symbol.asyncDispose]();

	constructor(run: ServedRun, files: DoorDirectory, forget: () => void) {
		this.run = run;
		this.files = files;
		this.#forget = forget;
		run.ended.addEventListener("abort", this.#onEnd, { once: true });
	}

	get isOpen(): boolean {
		return this.#closing === undefined;
	}

	/** Throws `unauthenticated` for a token of another run. */
	requireOwn(token: VerifiedToken): VerifiedToken {
		if (token.run === this.run && this.isOpen) return token;
		throw new RuntimeError("unauthenticated", "The execution token is not of the run whose door this is.");
	}

	/** Throws `cancelled` when the run has ended while its door was made. */
	requireLive(): void {
		if (!this.isOpen) throw new RuntimeError("cancelled", `The run ${this.run.execution.id} has ended.`);
	}

	[Symbol.asyncDispose](): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	/** Closes a door that was not finished, also when its run has ended meanwhile. */
	async discard(): Promise<void> {
		await this[Symbol.asyncDispose]();
		await this.listener?.[Symbol.asyncDispose]();
		this.files.clear();
	}

	async #close(): Promise<void> {
		this.run.ended.removeEventListener("abort", this.#onEnd);
		this.#forget();
		for (const socket of this.connections) socket.destroy();
		await this.listener?.[Symbol.asyncDispose]();
		this.files.clear();
	}
}
