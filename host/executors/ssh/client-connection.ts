import type { Socket } from "node:net";
import type { Duplex, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client, ClientChannel } from "ssh2";
import { excerpt } from "../../contract/excerpt.ts";
import { within } from "../../within.ts";
import type { RemoteExit, RemoteSession, SshConnection } from "./ssh-connection.ts";
import { SshError } from "./ssh-error.ts";

/** A host that was told that the connection ends has so long to close it. */
const endMs = 1_000;
/** How often the host is asked for a sign of life, at most. */
const maxKeepAliveMs = 10_000;

/** How often to ask a host for a sign of life that is given up after a silence. */
export const keepAliveMs = (silenceMs: number): number => Math.min(maxKeepAliveMs, Math.floor(silenceMs / 3));

/**
 * A session that is refused is asked for again after so long. sshd counts sessions that have ended until it has cleaned up: when many end at one time, those
 * that follow them at once are too many.
 */
const sessionPausesMs = [10, 50, 250, undefined];

class SessionRefusal extends Error {}

/** Channels that were closed here, and not by the host: each takes memory until it does so. A host that is well needs as long as a message travels. */
const maxHalfClosed = 256;

export interface ConnectionFacts {
	/** Of the host, for messages. */
	readonly description: string;
	readonly hostKey: string;
	readonly silenceMs: number;
}

/** A connection by ssh2, from the moment that the account is logged into. */
export class ClientConnection implements SshConnection {
	readonly hostKey: string;
	readonly remoteAddress: string;
	readonly closed: Promise<Error | undefined>;
	readonly #client: Client;
	readonly #socket: Socket;
	readonly #description: string;
	readonly #listeners = new Map<string, (stream: Duplex) => void>();
	readonly #channels = new Set<ClientChannel>();
	/** What the host was asked for and has not answered, each with the ticks that it has had for it. */
	readonly #unanswered = new Set<{ ticks: number }>();
	#isDisposed = false;
	#failure: Error | undefined;
	/** What the host has done that has ended the connection. */
	#broken: string | undefined;

	constructor(client: Client, socket: Socket, { description, hostKey, silenceMs }: ConnectionFacts) {
		this.#client = client;
		this.#socket = socket;
		this.#description = description;
		this.hostKey = hostKey;
		writeTogether(socket);
		this.remoteAddress = (socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "");
		// Of the first thing that went wrong; what follows is its consequence, and an error that nobody hears ends the process.
		client.on("error", (error) => {
			this.#failure ??= error;
			// ssh2 goes on reading from a host that has broken the protocol.
			socket.destroy();
		});
		const watch = this.#watch(silenceMs);
		this.closed = new Promise((resolve) => {
			const end = (): void => {
				clearInterval(watch);
				resolve(this.#isDisposed ? undefined : this.#lost());
			};
			if (socket.destroyed) end();
			else client.once("close", end);
		});
		client.on("unix connection", ({ socketPath }, accept, reject) => {
			const listener = this.#listeners.get(socketPath);
			if (!listener || this.#halfClosed > maxHalfClosed) return reject();
			const channel = accept() as ClientChannel;
			this.#hold(channel);
			channel.on("error", () => {});
			// A socket has none.
			channel.stderr.resume();
			listener(channel);
		});
	}

	async exec(command: string): Promise<RemoteSession> {
		for (const pauseMs of sessionPausesMs) {
			try {
				return await this.#exec(command);
			} catch (cause) {
				if (!(cause instanceof SessionRefusal)) throw cause;
				if (pauseMs === undefined) throw this.#sessionRefused(cause);
				await sleep(pauseMs);
			}
		}
		throw this.#lost();
	}

	#exec(command: string): Promise<RemoteSession> {
		if (this.#halfClosed > maxHalfClosed) this.#giveUp("it does not close its sessions");
		return this.#answered((resolve, reject) => {
			try {
				this.#client.exec(command, (error, channel) => {
					if (error) return reject(this.#isOpen ? new SessionRefusal(error.message) : this.#lost());
					// In this very call: what the session says may be in the same packet.
					this.#hold(channel);
					resolve(openSession(channel));
				});
			} catch {
				reject(this.#lost());
			}
		});
	}

	async listen(path: string, onConnection: (stream: Duplex) => void): Promise<AsyncDisposable> {
		if (this.#listeners.has(path)) throw new Error(`${path} is listened on already`);
		this.#listeners.set(path, onConnection);
		try {
			await this.#request((answer) => this.#client.openssh_forwardInStreamLocal(path, answer));
		} catch {
			this.#listeners.delete(path);
			if (!this.#isOpen) throw this.#lost();
			throw new SshError(
				"host-unsuitable",
				`${this.#description} refuses to listen on the Unix socket ${path} for this connection: its sshd needs AllowStreamLocalForwarding, not DisableForwarding, and the directory has to be the account's.`,
			);
		}
		let ended: Promise<void> | undefined;
		const end = async (): Promise<void> => {
			this.#listeners.delete(path);
			// Where the connection has gone, so has the socket.
			await this.#request((answer) => this.#client.openssh_unforwardInStreamLocal(path, answer)).catch(() => undefined);
		};
		return {
			[Symbol.asyncDispose]: () => {
				ended ??= end();
				return ended;
			},
		};
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#isDisposed ||= this.#isOpen;
		this.#client.end();
		await within(this.closed, endMs);
		this.#socket.destroy();
		await this.closed;
	}

	get #isOpen(): boolean {
		return !this.#socket.destroyed && this.#socket.writable;
	}

	#request(ask: (answer: (error?: Error | null) => void) => void): Promise<void> {
		return this.#answered((resolve, reject) => {
			try {
				ask((error) => (error ? reject(error) : resolve()));
			} catch (cause) {
				reject(cause);
			}
		});
	}

	/** A promise that the host has to settle in time, else the connection ends, and with it what waits: a run must not last as long as its host likes. */
	async #answered<Result>(ask: (resolve: (result: Result) => void, reject: (cause: unknown) => void) => void): Promise<Result> {
		const wait = { ticks: 0 };
		this.#unanswered.add(wait);
		try {
			return await new Promise<Result>(ask);
		} finally {
			this.#unanswered.delete(wait);
		}
	}

	/**
	 * Keeps a channel in its bounds. ssh2 takes what a host sends beyond the window that it was given, and keeps what nobody reads: as much as the host likes.
	 */
	#hold(channel: ClientChannel): void {
		this.#channels.add(channel);
		channel.once("close", () => this.#channels.delete(channel));
		for (const stream of [channel, channel.stderr] as readonly Readable[]) {
			const { push } = stream;
			stream.push = (chunk, encoding) => {
				if (chunk === null || stateOf(channel).incoming.window >= 0) return push.call(stream, chunk, encoding);
				this.#giveUp("it sends more than it is allowed to");
				return false;
			};
		}
	}

	get #halfClosed(): number {
		if (this.#channels.size <= maxHalfClosed) return 0;
		return [...this.#channels].filter((channel) => stateOf(channel).outgoing.state === "closing").length;
	}

	#giveUp(why: string): void {
		this.#broken ??= why;
		this.#socket.destroy();
	}

	/**
	 * Cuts the connection when nothing has come for too long, or not what was asked for. Silence is counted in ticks: after a pause of this process (a closed
	 * notebook) it is not the host that was silent.
	 */
	#watch(silenceMs: number): NodeJS.Timeout {
		const ticks = 10;
		let silent = 0;
		this.#socket.on("data", () => {
			silent = 0;
		});
		return setInterval(() => {
			silent += 1;
			if (silent >= ticks) this.#giveUp(`it has shown no life for ${silenceMs} ms`);
			// The first tick may come at once.
			for (const wait of this.#unanswered)
				if (wait.ticks++ >= ticks) this.#giveUp(`it has not answered a request within ${silenceMs} ms`);
		}, silenceMs / ticks).unref();
	}

	#lost(): SshError {
		const why = this.#isDisposed
			? "it was closed"
			: (this.#broken ?? (this.#failure ? excerpt(this.#failure.message, 200) : "the host closed it"));
		return new SshError("host-connection-lost", `The connection to ${this.#description} has ended: ${why}.`, {
			cause: this.#failure,
		});
	}

	#sessionRefused(cause: Error): SshError {
		return new SshError(
			"host-unsuitable",
			`${this.#description} refuses another session on a connection: MaxSessions of its sshd has to be 10, as it is by default, and the account has to be allowed commands.`,
			{ cause },
		);
	}
}

/** What ssh2 1.17 has behind its interface. Its version is pinned, and test/ssh/hostile-hosts.test.ts fails without it. */
interface ChannelState {
	/** `window`: bytes that the host may still send. */
	readonly incoming: { readonly window: number };
	/** `closing`: closed here, and not by the host. */
	readonly outgoing: { readonly state: "open" | "eof" | "closing" | "closed" };
}

const stateOf = (channel: ClientChannel): ChannelState => channel as unknown as ChannelState;

function openSession(channel: ClientChannel): RemoteSession {
	// What is written after the end is an error that somebody has to hear.
	for (const stream of [channel, channel.stderr]) stream.on("error", () => {});
	const exited = Promise.withResolvers<RemoteExit>();
	const ended = Promise.withResolvers<RemoteExit>();
	const end = (): void => {
		exited.resolve({ exitCode: undefined, signal: undefined });
		ended.resolve(exited.promise);
	};
	channel.on("exit", (code: number | null, signal?: string) =>
		// Of 32 bits; on a system that knows no more than eight, 256 would be success.
		exited.resolve({ exitCode: code === null ? undefined : Math.min(code, 255), signal: signal?.replace(/^SIG/, "") }),
	);
	const closed = [channel, channel.stderr].map((stream) => new Promise<void>((resolve) => stream.once("close", resolve)));
	void Promise.all(closed).then(end);
	return {
		stdin: channel,
		stdout: channel,
		stderr: channel.stderr,
		exited: exited.promise,
		ended: ended.promise,
		close() {
			channel.close();
			channel.resume();
			channel.stderr.resume();
			// sshd answers when the command has ended, which it does when it likes.
			end();
		},
	};
}

/**
 * What one turn of the event loop writes leaves as one piece. A write for each packet of SSH wakes the sshd each time: a quarter of this process's time with many runs at once.
 */
function writeTogether(socket: Socket): void {
	const write = socket.write;
	let isWaiting = false;
	socket.write = (...given: unknown[]): boolean => {
		if (!isWaiting) {
			isWaiting = true;
			socket.cork();
			setImmediate(() => {
				isWaiting = false;
				socket.uncork();
			});
		}
		return Reflect.apply(write, socket, given);
	};
}
