import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import type { AgentRun } from "./agent-messages.ts";
import type { Forwarder } from "./forwarder.ts";

/** The socket of one run: whoever of this account connects to it is taken for its script. */
export class RunSocket implements AsyncDisposable {
	readonly run: AgentRun;
	readonly path: string;
	readonly forwarder: Forwarder;
	readonly #server: Server;
	readonly #connections = new Set<Socket>();
	#deadline: NodeJS.Timeout | undefined;

	private constructor(run: AgentRun, path: string, forwarder: Forwarder, onConnection: (socket: Socket) => void) {
		this.run = run;
		this.path = path;
		this.forwarder = forwarder;
		// A client that has ended its side still gets its answer.
		this.#server = createServer({ allowHalfOpen: true }, (socket) => {
			this.#connections.add(socket);
			socket.once("close", () => this.#connections.delete(socket));
			onConnection(socket);
		});
		this.#server.maxConnections = run.limits.maxRunConnections;
	}

	/** Listens at the path, whose directory nobody else can look into; `onDeadline` is called when the run cannot be under way any more. */
	static async listen(
		run: AgentRun,
		path: string,
		forwarder: Forwarder,
		{ onConnection, onDeadline }: { readonly onConnection: (socket: Socket) => void; readonly onDeadline: () => void },
	): Promise<RunSocket> {
		const socket = new RunSocket(run, path, forwarder, onConnection);
		await new Promise<void>((resolve, reject) => {
			socket.#server.once("error", reject);
			socket.#server.listen(path, resolve);
		});
		chmodSync(path, 0o600);
		socket.#deadline = setTimeout(onDeadline, run.remainingMs);
		return socket;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		clearTimeout(this.#deadline);
		this.forwarder[Symbol.dispose]();
		const closed = new Promise((resolve) => this.#server.close(resolve));
		for (const connection of this.#connections) connection.destroy();
		await closed;
		rmSync(this.path, { force: true });
	}
}
