import { chmodSync, lstatSync, rmSync } from "node:fs";
import { isIP } from "node:net";
import type { FastifyInstance } from "fastify";
import { RuntimeError } from "./contract/errors.ts";
import { tellingFailures } from "./http/authentication-failures.ts";
import { controlApi } from "./http/control/control-api.ts";
import { identifyByToken, requireBearer } from "./http/credentials.ts";
import { runtimeApi } from "./http/runtime-api.ts";
import { createServer, drainServer, type ServerTls } from "./http/server.ts";
import { createHost, type HostOptions } from "./index.ts";
import { lockExclusive } from "./store/exclusive-role.ts";
import { operatorCredentialFile, readOperatorCredential } from "./tokens/operator-credential.ts";

/** Where a server listens. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

export interface ServeOptions extends Omit<HostOptions, "dataDirectory" | "audit" | "forbiddenPorts"> {
	readonly dataDirectory: string;
	/** Of the runtime API, for scripts. */
	readonly listen: Address;
	/** Of the control API, for orchestrators. */
	readonly controlListen: Address;
	readonly tls?: ServerTls;
	/** Where sidecar processes come in, with certificates of the directory's own authority; nowhere when it is not given. */
	readonly sidecarListen?: { readonly host: string; readonly port: number };
	/** Where they reach it, `host:port`; where it listens when not given. */
	readonly sidecarAddress?: string;
	/** Where agents of SSH hosts come in, with certificates of the same authority; nowhere when it is not given. */
	readonly agentListen?: { readonly host: string; readonly port: number };
	/** Where they reach it, `host:port`; where it listens when not given. */
	readonly agentAddress?: string;
	readonly operatorTokenFile?: string;
	/** How long what is under way may take to finish, in milliseconds. */
	readonly drainMs: number;
}

/** A host that is reached over HTTP. */
export interface RunningServer {
	readonly url: string;
	readonly controlUrl: string;
	readonly sidecarUrl: string | undefined;
	readonly agentUrl: string | undefined;
	/** The file with the operator's credential. */
	readonly operatorTokenFile: string;
	/** Takes no new runs, gives those under way their time, and lets go of everything. */
	close(): Promise<void>;
}

/**
 * Serves a data directory: the runtime API and the control API, with an audit log. Rejects with `invalid` for an address beyond loopback without TLS, with `unavailable`
 * when another process serves the directory, naming it, or an address cannot be had.
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
	const {
		dataDirectory,
		listen,
		controlListen,
		tls,
		sidecarListen,
		sidecarAddress,
		agentListen,
		agentAddress,
		drainMs,
		...hostOptions
	} = options;
	for (const address of [listen, controlListen]) requirePrivate(address, tls);
	await using opened = new AsyncDisposableStack();
	// A script must not reach the doors of its own server, where it would come from a trusted address.
	const ownPorts: number[] = [];
	const host = opened.use(await createHost({ ...hostOptions, dataDirectory, audit: true, forbiddenPorts: ownPorts }));
	const role = await lockExclusive(dataDirectory, "serve", host);
	opened.defer(() => role.close());
	const tokens = await host.tokens();
	const isOperator = readOperatorCredential(dataDirectory, options.operatorTokenFile);
	const traffic = await host.traffic();
	let ready = true;
	const isReady = (): boolean => ready;
	const serverOptions = { maxConnections: host.limits.maxConnections, ...(tls && { tls }) };
	const sidecars =
		sidecarListen &&
		opened.use(
			await (await import("../sidecar/sidecar-server.ts")).SidecarServer.listen({
				dataDirectory,
				listen: sidecarListen,
				address: sidecarAddress,
				limits: host.limits,
				tokens,
				traffic,
				audit: host.audit,
				findRun: (id) => host.external(id),
				isReady,
			}),
		);
	const agents =
		agentListen &&
		opened.use(
			await (await import("../ssh-bridge/agent-server.ts")).AgentServer.listen({
				dataDirectory,
				listen: agentListen,
				address: agentAddress,
				limits: host.limits,
				tokens,
				traffic,
				audit: host.audit,
				registry: await host.agents(),
				isReady,
			}),
		);
	if (agents) host.sshDoors.agents = agents;
	const runtime = createServer(serverOptions);
	await runtime.register(runtimeApi, {
		identify: tellingFailures("bridge", host.audit, identifyByToken(tokens, "bridge")),
		tokens,
		traffic,
		isReady,
	});
	const control = createServer(serverOptions);
	await control.register(controlApi, {
		host,
		tokens,
		sidecars,
		isReady,
		identifyOperator: tellingFailures("control", host.audit, (request) => {
			if (!isOperator(requireBearer(request)))
				throw new RuntimeError("unauthenticated", "This is not the operator's credential.");
			return "operator";
		}),
		audit: async (action) => host.audit?.record(action),
	});
	opened.defer(() => drainServer(runtime, 0));
	opened.defer(() => drainServer(control, 0));
	const url = await listenOn(runtime, listen);
	const controlUrl = await listenOn(control, controlListen);
	for (const { server } of [runtime, control]) {
		const address = server.address();
		if (typeof address === "object" && address) ownPorts.push(address.port);
	}
	if (sidecars?.port !== undefined) ownPorts.push(sidecars.port);
	if (agents) ownPorts.push(agents.port);
	host.prepareContainers().catch((cause: Error) => {
		// Without an engine there are no containers, which is as it is on most machines until the operator wants them.
		if (options.containers?.engine !== undefined) process.emitWarning(cause.message, "CroniumWarning");
	});
	const owned = opened.move();
	return {
		url,
		controlUrl,
		sidecarUrl: sidecars && `https://${sidecars.address}`,
		agentUrl: agents && `https://${agents.address}`,
		operatorTokenFile: options.operatorTokenFile ?? operatorCredentialFile(dataDirectory),
		async close() {
			ready = false;
			// Whoever watches a run is served until it has ended, and runs reach their helpers.
			await host.drain(drainMs);
			await Promise.all([drainServer(control, 1_000), drainServer(runtime, 1_000)]);
			await owned.disposeAsync();
		},
	};
}

/** A credential must not travel in clear where others can read it. */
function requirePrivate(address: Address, tls: ServerTls | undefined): void {
	if (tls || "path" in address || isLoopback(address.host)) return;
	throw new RuntimeError(
		"invalid",
		`${isIP(address.host) === 6 ? `[${address.host}]` : address.host}:${address.port} is beyond loopback, where tokens would travel in clear; give a certificate and a key (--tls-cert, --tls-key), or listen on 127.0.0.1.`,
	);
}

function isLoopback(host: string): boolean {
	return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** Listens, and returns what clients connect to. */
async function listenOn(server: FastifyInstance, address: Address): Promise<string> {
	if ("path" in address) removeStaleSocket(address.path);
	try {
		const url = await server.listen(address);
		// Whoever can connect still needs a token; others of the machine need not even see the door.
		if ("path" in address) chmodSync(address.path, 0o600);
		return "path" in address ? `unix:${address.path}` : url;
	} catch (cause) {
		const where = "path" in address ? `unix:${address.path}` : `${address.host}:${address.port}`;
		throw new RuntimeError(
			"unavailable",
			`${where} cannot be listened on: ${(cause as NodeJS.ErrnoException).code ?? "unknown"}.`,
		);
	}
}

/** A process that died has left its socket; this one holds the role, so it is nobody's. */
function removeStaleSocket(path: string): void {
	if (Buffer.byteLength(path) > 100)
		throw new RuntimeError("invalid", `The socket path ${path} has ${Buffer.byteLength(path)} bytes; the limit is 100.`);
	if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) rmSync(path);
}
