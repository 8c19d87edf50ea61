import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A line between an agent and its bridge that can be lost. */
export interface UnsteadyLine extends AsyncDisposable {
	/** `host:port` of the end for the agent. */
	readonly address: string;
	/** How many connections were made through it. */
	readonly connections: number;
	/** Nothing gets through in either direction, and nobody is told. */
	stall(): void;
	/** What was held back gets through. */
	resume(): void;
	/** Ends all connections, and refuses new ones until it is restored. */
	cut(): void;
	restore(): void;
}

/** A line to a port of loopback. */
export async function openUnsteadyLine(port: number): Promise<UnsteadyLine> {
	const open = new Set<Socket>();
	let isCut = false;
	let isStalled = false;
	let connections = 0;
	const server = createServer({ noDelay: true }, (client) => {
		if (isCut) return void client.resetAndDestroy();
		connections++;
		const onward = connect({ host: "127.0.0.1", port, noDelay: true });
		for (const [one, other] of [
			[client, onward],
			[onward, client],
		] as const) {
			open.add(one);
			one.on("close", () => {
				open.delete(one);
				other.destroy();
			});
			one.on("error", () => undefined);
			one.on("data", (chunk) => other.write(chunk));
			if (isStalled) one.pause();
		}
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
		get connections() {
			return connections;
		},
		stall() {
			isStalled = true;
			for (const socket of open) socket.pause();
		},
		resume() {
			isStalled = false;
			for (const socket of open) socket.resume();
		},
		cut() {
			isCut = true;
			for (const socket of open) socket.resetAndDestroy();
		},
		restore() {
			isCut = false;
		},
		async [Symbol.asyncDispose]() {
			for (const socket of open) socket.destroy();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
