import type { ClientHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RuntimeError } from "../host/contract/errors.ts";
import { type AgentIdentity, takeIssued } from "./agent-identity.ts";
import { type AgentRun, agentPaths, type HostMessage, type OpenReport, runHeader } from "./agent-messages.ts";
import type { AgentState } from "./agent-state.ts";
import { createCertificateRequest } from "./certificate-request.ts";
import { createForwardingServer, Forwarder } from "./forwarder.ts";
import { HostChannel } from "./host-channel.ts";
import { RunSocket } from "./run-socket.ts";
import { attachServer, endServer, restServer, wakeServer } from "./unheard-server.ts";

export interface AgentProcessOptions {
	readonly state: AgentState;
	readonly identity: AgentIdentity;
	/** Told of what an operator wants to know, one line each. */
	readonly say: (line: string) => void;
	/** How long a call may wait for the bridge, in milliseconds. */
	readonly requestTimeoutMs?: number;
}

/** The bridge takes an agent that was not heard of for 75 seconds for gone. */
const pingEveryMs = 30_000;
/** Between two attempts to connect; calls of runs wait for the next one. */
const longestPauseMs = { idle: 15_000, busy: 3_000 } as const;
const lookEveryMs = 60_000;
/** After a stream of messages that was refused. */
const retryMs = 2_000;
const requestTimeoutMs = 30_000;
/** A line of the bridge; it tells of all runs in one. */
const maxMessageCharacters = 16 * 1024 * 1024;

/**
 * The agent of a host: it keeps one connection to the bridge, has a socket for each run that the bridge names, and forwards what comes through it. It decides
 * nothing but what it has room for.
 */
export class AgentProcess implements AsyncDisposable {
	readonly #options: AgentProcessOptions;
	readonly #channel: HostChannel;
	readonly #server: FastifyInstance;
	readonly #stopped = new AbortController();
	readonly #sockets = new Map<string, RunSocket>();
	readonly #bySocket = new WeakMap<Socket, RunSocket>();
	readonly #ended = Promise.withResolvers<void>();
	#identity: AgentIdentity;
	/** What the bridge says is done in its order. */
	#work: Promise<void> = Promise.resolve();
	#renewal: NodeJS.Timeout | undefined;
	#said = "";

	private constructor(options: AgentProcessOptions) {
		this.#options = options;
		this.#identity = options.identity;
		this.#server = createForwardingServer((request, reply) => this.#forward(request, reply));
		this.#channel = new HostChannel({
			end: () => this.#identity,
			pingEveryMs,
			longestPauseMs: () => (this.#sockets.size > 0 ? longestPauseMs.busy : longestPauseMs.idle),
			onAccepted: (session) => this.#listen(session),
			onLost: (why) => this.#lose(why),
		});
		this.#scheduleRenewal();
		// Whoever does not ask need not know.
		this.#ended.promise.catch(() => undefined);
	}

	static async open(options: AgentProcessOptions): Promise<AgentProcess> {
		const agent = new AgentProcess(options);
		await attachServer(agent.#server);
		restServer(agent.#server);
		return agent;
	}

	/** Rejects with `unauthenticated` when the agent's certificate has expired: it has to be invited again. */
	get ended(): Promise<void> {
		return this.#ended.promise;
	}

	/** Says what is the case, once as long as it is. */
	#say(line: string): void {
		if (line === this.#said) return;
		this.#said = line;
		this.#options.say(line);
	}

	#lose(why: "cut" | "refused" | "unreachable"): void {
		const { address, expiresAt, host } = this.#identity;
		if (Date.now() >= expiresAt) {
			const problem = `The certificate of this agent has expired; it has to join again: cronium agents invite ${host}.`;
			this.#ended.reject(new RuntimeError("unauthenticated", problem));
		} else if (why === "refused")
			this.#say(
				`The bridge at ${address} refuses this agent: it was revoked, or is not known there. To join again it needs another --state and another token.`,
			);
		else this.#say(`The connection to the bridge at ${address} is ${why === "cut" ? "cut" : "not to be had"}; trying again.`);
	}

	/** Follows what the bridge says on a connection. */
	#listen(session: ClientHttp2Session): void {
		const stream = session.request({ ":method": "GET", ":path": agentPaths.runs });
		let isTaken = false;
		let rest = "";
		stream.once("response", ({ ":status": status }) => {
			isTaken = status === 200;
		});
		stream.setEncoding("utf8");
		stream.on("data", (text: string) => {
			if (!isTaken) return;
			const lines = (rest + text).split("\n");
			rest = lines.pop() as string;
			if (rest.length > maxMessageCharacters) return void session.destroy();
			for (const line of lines) this.#take(JSON.parse(line) as HostMessage);
		});
		stream.on("error", () => undefined);
		stream.once("close", () => {
			if (session.destroyed) return;
			// Without it the agent would not learn of runs.
			const again = setTimeout(() => session.destroy(), retryMs * (0.5 + Math.random()));
			session.once("close", () => clearTimeout(again));
		});
	}

	#take(message: HostMessage): void {
		const { agent, host, address } = this.#identity;
		if (message.type === "state")
			this.#say(
				message.isApproved
					? `Agent ${agent} of the host ${host} is connected to ${address}.`
					: `Agent ${agent} of the host ${host} waits for approval: cronium agents approve ${agent}`,
			);
		this.#work = this.#work.then(() => this.#do(message)).catch((error: Error) => this.#options.say(error.message));
	}

	async #do(message: HostMessage): Promise<void> {
		if (message.type === "close") return await this.#close(message.run);
		if (message.type === "open") return await this.#open(message.run);
		if (message.type !== "state") return;
		const wanted = new Set(message.runs.map(({ id }) => id));
		for (const id of this.#sockets.keys()) if (!wanted.has(id)) await this.#close(id);
		for (const run of message.runs) await this.#open(run);
	}

	async #open(run: AgentRun): Promise<void> {
		let report: OpenReport;
		try {
			const socket = this.#sockets.get(run.id) ?? (await this.#makeSocket(run));
			report = { socketPath: socket.path };
		} catch (error) {
			const { code, message } = error as NodeJS.ErrnoException;
			report = { problem: error instanceof RuntimeError ? message : (code ?? "unknown") };
		}
		// Not waited for: what comes next may be that the run has ended.
		this.#post(`${agentPaths.runs}/${encodeURIComponent(run.id)}`, report).catch(() => undefined);
	}

	async #makeSocket(run: AgentRun): Promise<RunSocket> {
		const { state, requestTimeoutMs: timeoutMs } = this.#options;
		const forwarder = new Forwarder({ channel: this.#channel, limits: run.limits, requestTimeoutMs: timeoutMs });
		const path = state.socketPath(run.id);
		const socket: RunSocket = await RunSocket.listen(run, path, forwarder, {
			onConnection: (connection) => {
				this.#bySocket.set(connection, socket);
				this.#server.server.emit("connection", connection);
			},
			onDeadline: () => void this.#close(run.id),
		});
		if (this.#sockets.size === 0) wakeServer(this.#server);
		this.#sockets.set(run.id, socket);
		return socket;
	}

	async #close(id: string): Promise<void> {
		const socket = this.#sockets.get(id);
		if (!socket) return;
		this.#sockets.delete(id);
		await socket[Symbol.asyncDispose]();
		if (this.#sockets.size === 0) restServer(this.#server);
	}

	async #forward(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
		const socket = this.#bySocket.get(request.raw.socket);
		if (!socket) throw new RuntimeError("unavailable", "The run has ended.");
		return await socket.forwarder.forward(request, reply, { [runHeader]: socket.run.id });
	}

	async #post(path: string, document: object): Promise<{ readonly status: number; readonly text: string }> {
		const body = Buffer.from(JSON.stringify(document));
		const headers = { "content-type": "application/json", "content-length": String(body.length) };
		const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(requestTimeoutMs)]);
		const answer = await this.#channel.send({ method: "POST", path, headers, body, isRepeatable: true }, signal);
		return { status: answer.status, text: answer.body.toString() };
	}

	/** Longer than a day a timer need not be, and a machine that was asleep has not counted. */
	#scheduleRenewal(): void {
		const { renewAt, expiresAt } = this.#identity;
		const waitMs = Math.max(0, Math.min(lookEveryMs, renewAt - Date.now()));
		// What has failed is tried again, some times before it is too late.
		const pauseMs = Math.min(lookEveryMs, Math.max(100, (expiresAt - renewAt) / 10));
		this.#renewal = setTimeout(
			async () => {
				if (Date.now() >= renewAt)
					await this.#renew().catch((error: Error) => this.#say(`The certificate is not renewed: ${error.message}`));
				if (!this.#stopped.signal.aborted) this.#scheduleRenewal();
			},
			Date.now() >= renewAt ? pauseMs : waitMs,
		);
	}

	async #renew(): Promise<void> {
		const { key, request } = createCertificateRequest();
		const { status, text } = await this.#post(agentPaths.certificate, { request });
		const renewed = takeIssued(status, text, this.#identity.address, key);
		this.#options.state.writeIdentity(renewed);
		this.#identity = renewed;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#stopped.abort();
		clearTimeout(this.#renewal);
		this.#channel[Symbol.dispose]();
		await this.#work;
		await Promise.all([...this.#sockets.keys()].map((id) => this.#close(id)));
		await endServer(this.#server);
		this.#ended.resolve();
	}
}
