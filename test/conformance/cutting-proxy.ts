import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, createServer as createTlsServer, type TlsOptions } from "node:tls";

/** Stands between a guest and a server, and cuts a connection when it is told to. */
export interface CuttingProxy extends AsyncDisposable {
	/** Of the listener, when it has no path. */
	readonly port: number;
	/** The next request reaches the server; the first byte of its answer ends the connection. */
	cutNextAnswer(): void;
	/** How many were cut. */
	readonly cuts: number;
}

type Place = { readonly port: number; readonly host: string } | { readonly path: string };

/** Forwards from the place of its own (any port of loopback, or a path) to the target; with `tls` it is a server and a client itself, and sees what is inside. */
export async function openCuttingProxy(
	target: Place,
	path?: string,
	tls?: { readonly server: TlsOptions; readonly client: ConnectionOptions },
): Promise<CuttingProxy> {
	const open = new Set<Socket>();
	let armed = false;
	let cuts = 0;
	const take = (client: Socket): void => {
		const upstream = tls ? connectTls({ ...target, ...tls.client }) : connect(target);
		for (const socket of [client, upstream]) {
			open.add(socket);
			socket.on("close", () => open.delete(socket));
			socket.on("error", () => undefined);
		}
		// Only the answer to what is asked after the order, on whatever connection it is.
		let cut = false;
		client.on("data", (chunk) => {
			if (armed) {
				armed = false;
				cut = true;
			}
			upstream.write(chunk);
		});
		upstream.on("data", (chunk) => {
			if (!cut) return void client.write(chunk);
			cuts++;
			client.destroy();
			upstream.destroy();
		});
		client.on("close", () => upstream.end());
		upstream.on("close", () => client.end());
	};
	const server = tls ? createTlsServer(tls.server, take) : createServer({ noDelay: true }, take);
	await new Promise<void>((resolve) => server.listen(path ?? { host: "127.0.0.1", port: 0 }, resolve));
	return {
		port: path === undefined ? (server.address() as AddressInfo).port : 0,
		cutNextAnswer() {
			armed = true;
		},
		get cuts() {
			return cuts;
		},
		async [Symbol.asyncDispose]() {
			for (const socket of open) socket.destroy();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
