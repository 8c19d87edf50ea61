import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExternalReport } from "../../host/executors/external.ts";
import { identifyByToken } from "../../host/http/credentials.ts";
import { runtimeApi } from "../../host/http/runtime-api.ts";
import { createServer, drainServer, type ServerOptions } from "../../host/http/server.ts";
import { Traffic } from "../../host/http/traffic.ts";
import { createHost, type Host, type HostOptions, type Outcome } from "../../host/index.ts";
import type { ExternalRunOptions } from "../../host/run-options.ts";
import { ExecutionTokens, type TokenTerms } from "../../host/tokens/execution-tokens.ts";
import { KeyRing } from "../../host/tokens/key-ring.ts";
import { type HttpAnswer, sendRequest } from "./send-request.ts";

export interface DoorSetup {
	readonly limits?: NonNullable<HostOptions["limits"]>;
	/** Listens on a Unix socket instead of loopback. */
	readonly unixSocket?: boolean;
	readonly server?: ServerOptions;
	readonly isReady?: () => boolean;
}

/** A real host with a real listener in a temporary directory. */
export interface Door extends AsyncDisposable {
	readonly host: Host;
	readonly tokens: ExecutionTokens;
	readonly directory: string;
	/** `http://127.0.0.1:…`; over a Unix socket `http://localhost`. */
	readonly url: string;
	readonly socketPath: string | undefined;
	readonly internalErrors: Error[];
	/** Ends the server as `cronium serve` does, and leaves the host. */
	drain(graceMs: number): Promise<void>;
	startRun(options?: ExternalRunOptions, terms?: Partial<TokenTerms>): Promise<DoorRun>;
}

/** An external run with a token. */
export interface DoorRun {
	readonly id: string;
	readonly token: string;
	/** The environment that connects an SDK. */
	readonly env: Readonly<Record<string, string>>;
	/** A request with the token. A text is sent as it is, as JSON; the path too. */
	call(method: string, path: string, body?: string | Buffer, headers?: Readonly<Record<string, string>>): Promise<HttpAnswer>;
	/** Ends it, and returns its outcome. */
	end(report?: ExternalReport): Promise<Outcome>;
	readonly outcome: Promise<Outcome>;
}

export async function openDoor(setup: DoorSetup = {}): Promise<Door> {
	await using opened = new AsyncDisposableStack();
	const directory = await mkdtemp(join(tmpdir(), "cronium-door-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const dataDirectory = join(directory, "data");
	const host = opened.use(
		await createHost({ dataDirectory, warm: false, limits: { maxWorkers: 1, maxWallTimeMs: 120_000, ...setup.limits } }),
	);
	const tokens = new ExecutionTokens(new KeyRing(dataDirectory), host.limits, (id) => host.served(id));
	const internalErrors: Error[] = [];
	const server = createServer({ onInternalError: (error) => internalErrors.push(error), ...setup.server });
	await server.register(runtimeApi, {
		identify: identifyByToken(tokens, "bridge"),
		tokens,
		traffic: new Traffic(host.limits),
		isReady: setup.isReady ?? (() => true),
	});
	const socketPath = setup.unixSocket ? join(directory, "door.sock") : undefined;
	const origin = await server.listen(socketPath ? { path: socketPath } : { host: "127.0.0.1", port: 0 });
	opened.defer(() => drainServer(server, 100));
	const url = socketPath ? "http://localhost" : origin;
	const owned = opened.move();
	return {
		host,
		tokens,
		directory,
		url,
		socketPath,
		internalErrors,
		drain: (graceMs) => drainServer(server, graceMs),
		async startRun(options = {}, terms = {}) {
			const run = await host.open(options);
			const { token } = await tokens.issue(run, { audience: "bridge", ...terms });
			return {
				id: run.id,
				token,
				env: {
					...(socketPath ? { CRONIUM_SOCKET: socketPath } : { CRONIUM_API_URL: url }),
					CRONIUM_EXECUTION_TOKEN: token,
				},
				outcome: run.outcome,
				call: (method, path, body, headers) =>
					sendRequest(socketPath ? { socketPath } : { url }, method, path, {
						headers: { authorization: `Bearer ${token}`, ...headers },
						...(body !== undefined && { body }),
					}),
				end(report = { status: "succeeded" }) {
					run.end(report);
					return run.outcome;
				},
			};
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}
