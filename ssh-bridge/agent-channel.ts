import type { ServerHttp2Session } from "node:http2";
import { PassThrough } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { HostMessage } from "../sidecar/agent-messages.ts";
import type { Agent } from "./agent-registry.ts";

/** Messages that an agent has not read. One that reads none gets no more. */
const maxUnreadBytes = 4 * 1024 * 1024;

/** One connection of an agent, whose certificate was verified. */
export class AgentChannel {
	readonly agentId: string;
	readonly #socket: TLSSocket;
	#session: ServerHttp2Session | undefined;
	#messages: PassThrough | undefined;
	/** As it is in the store; undefined until that was looked at. */
	agent: Agent | undefined;
	/** When its certificate ends, in milliseconds since the Unix epoch. A new one that it was given on this connection counts as shown. */
	expiresAt: number;

	constructor(agentId: string, socket: TLSSocket, expiresAt: number) {
		this.agentId = agentId;
		this.#socket = socket;
		this.expiresAt = expiresAt;
	}

	get isApproved(): boolean {
		return this.agent?.state === "approved" && !this.isClosed && Date.now() < this.expiresAt;
	}

	get isClosed(): boolean {
		return this.#socket.destroyed;
	}

	/** Whether it takes messages. */
	get isListening(): boolean {
		return this.#messages !== undefined && !this.isClosed;
	}

	get address(): string | undefined {
		return this.#socket.remoteAddress;
	}

	/** Hands the connection over to a session. */
	adopt(session: ServerHttp2Session): void {
		this.#session = session;
	}

	/** Begins the stream of messages, instead of the one before. */
	listen(): PassThrough {
		this.#messages?.end();
		const messages = new PassThrough();
		this.#messages = messages;
		messages.once("close", () => {
			if (this.#messages === messages) this.#messages = undefined;
		});
		return messages;
	}

	tell(message: HostMessage): void {
		if (!this.#messages) return;
		this.#messages.write(`${JSON.stringify(message)}\n`);
		if (this.#messages.writableLength > maxUnreadBytes) this.cut();
	}

	cut(): void {
		this.#session?.destroy();
		this.#socket.destroy();
	}
}
