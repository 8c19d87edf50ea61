import { chownSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { Client } from "ssh2";
import type { ExternalReport, ExternalRun } from "../../host/executors/external.ts";
import type { HostLine } from "../../host/executors/ssh/script-door.ts";
import type { SshHost } from "../../host/executors/ssh/ssh-host.ts";
import { createHost, type Host, type Outcome } from "../../host/index.ts";
import type { ExternalRunOptions } from "../../host/run-options.ts";
import { createTunnelDoors, type TunnelDoors } from "../../ssh-bridge/tunnel-doors.ts";
import { type HttpAnswer, type RequestOptions, sendRequest } from "../http/send-request.ts";
import { startSshd, type TestSshd } from "../ssh/sshd.ts";
import { testHost } from "../ssh/test-host.ts";

/** A real host, a real sshd and a connection to it that carries the sockets of runs. */
export interface Tunnel extends AsyncDisposable {
	readonly host: Host;
	readonly dataDirectory: string;
	readonly sshd: TestSshd;
	readonly doors: TunnelDoors;
	readonly internalErrors: Error[];
	/** Streams of the connection that are open. */
	readonly streams: ReadonlySet<Duplex>;
	/** Where the door of a run is made. */
	place(): { readonly host: SshHost; readonly line: HostLine; readonly directory: string };
	openRun(options?: ExternalRunOptions): Promise<RunAtTunnel>;
	/** Cuts the connection, as a network does. */
	cut(): void;
}

export interface RunAtTunnel {
	readonly id: string;
	readonly run: ExternalRun;
	readonly environment: Readonly<Record<string, string>>;
	readonly socketPath: string;
	readonly token: string;
	call(method: string, path: string, options?: RequestOptions & { readonly token?: string }): Promise<HttpAnswer>;
	end(report?: ExternalReport): Promise<Outcome>;
	readonly outcome: Promise<Outcome>;
	closeDoor(): Promise<void>;
}

export async function openTunnel(configuration: readonly string[] = []): Promise<Tunnel> {
	await using opened = new AsyncDisposableStack();
	const sshd = opened.use(await startSshd({ configuration }));
	const dataDirectory = mkdtempSync(join(tmpdir(), "tunnel-host-"));
	opened.defer(() => rmSync(dataDirectory, { recursive: true, force: true }));
	const host = opened.use(
		await createHost({ dataDirectory, warm: false, limits: { maxWorkers: 1, maxWallTimeMs: 120_000 }, audit: true }),
	);
	const client = await connect(sshd);
	opened.defer(() => void client.destroy());
	const internalErrors: Error[] = [];
	const doors = opened.use(
		await createTunnelDoors({
			limits: host.limits,
			tokens: await host.tokens(),
			traffic: await host.traffic(),
			audit: host.audit,
			onInternalError: (error) => internalErrors.push(error),
		}),
	);
	const streams = new Set<Duplex>();
	const line = lineOf(client, streams);
	const owned = opened.move();
	const place: Tunnel["place"] = () => {
		const directory = mkdtempSync(join(tmpdir(), "tunnel-"));
		owned.defer(() => rmSync(directory, { recursive: true, force: true }));
		chownSync(directory, sshd.account.uid, sshd.account.uid);
		return { host: testHost(sshd, { reach: "tunnel" }, "web-1"), line, directory };
	};
	return {
		host,
		dataDirectory,
		sshd,
		doors,
		internalErrors,
		streams,
		place,
		cut: () => void client.destroy(),
		async openRun(options = {}) {
			const run = await host.open(options);
			const door = await doors.open(run, place());
			const { CRONIUM_SOCKET: socketPath = "", CRONIUM_EXECUTION_TOKEN: token = "" } = door.environment;
			return {
				id: run.id,
				run,
				environment: door.environment,
				socketPath,
				token,
				call: (method, path, { token: shown = token, headers, ...rest } = {}) =>
					sendRequest({ socketPath }, method, path, { headers: { authorization: `Bearer ${shown}`, ...headers }, ...rest }),
				end(report = { status: "succeeded" }) {
					run.end(report);
					return run.outcome;
				},
				outcome: run.outcome,
				closeDoor: async () => door[Symbol.asyncDispose](),
			};
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}

async function connect({ address, port, account, keyFile }: TestSshd): Promise<Client> {
	const client = new Client();
	await new Promise<void>((resolve, reject) => {
		client.once("ready", resolve).once("error", reject);
		client.connect({ host: address, port, username: account.name, privateKey: readFileSync(keyFile) });
	});
	client.setNoDelay(true);
	// What it is cut with.
	client.on("error", () => undefined);
	return client;
}

function lineOf(client: Client, streams: Set<Duplex>): HostLine {
	const listening = new Map<string, (stream: Duplex) => void>();
	client.on("unix connection", ({ socketPath }, accept, reject) => {
		const onConnection = listening.get(socketPath);
		// On its way while the host was told to listen no more.
		if (!onConnection) return void reject();
		const stream = accept() as Duplex;
		streams.add(stream);
		stream.once("close", () => streams.delete(stream));
		onConnection(stream);
	});
	return {
		remoteAddress: "127.0.0.1",
		async listen(path, onConnection) {
			listening.set(path, onConnection);
			await new Promise<void>((resolve, reject) =>
				client.openssh_forwardInStreamLocal(path, (error) => (error ? reject(error) : resolve())),
			);
			return {
				[Symbol.asyncDispose]: () =>
					new Promise<void>((resolve, reject) => {
						listening.delete(path);
						client.openssh_unforwardInStreamLocal(path, (error) => (error ? reject(error) : resolve()));
					}),
			};
		},
	};
}
