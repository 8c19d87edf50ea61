import { X509Certificate } from "node:crypto";
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { createBridge } from "../ssh-bridge/bridge.ts";
import { RuntimeError } from "./contract/errors.ts";
import { tellingFailures } from "./http/authentication-failures.ts";
import { controlApi } from "./http/control/control-api.ts";
import { requireBearer } from "./http/credentials.ts";
import { type Address, describeAddress, isLoopback, listenOn, requirePrivate } from "./http/listen.ts";
import { createServer, drainServer, type ServerTls } from "./http/server.ts";
import { createHost, type HostOptions } from "./index.ts";
import { publishServing, withdrawServing } from "./serving.ts";
import { lockExclusive } from "./store/exclusive-role.ts";
import { operatorCredentialFile, readOperatorCredential } from "./tokens/operator-credential.ts";

export interface ServeOptions extends Omit<HostOptions, "dataDirectory" | "audit" | "forbiddenPorts"> {
	readonly dataDirectory: string;
	/** Of the runtime API, for scripts. */
	readonly listen: Address;
	/** Of the control API, for orchestrators. */
	readonly controlListen: Address;
	/** What both servers show. */
	readonly tls?: ServerTls;
	/** In its place: by which names clients reach them; they show a certificate of the directory's own authority then. */
	readonly tlsNames?: readonly string[];
	/** By which URL (`https:`) scripts on other machines reach the runtime API; where it listens, when that is one, if nothing is said. */
	readonly scriptUrl?: string;
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
	/** By which URL scripts on other machines reach the runtime API, when there is one. */
	readonly scriptUrl: string | undefined;
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
	const { dataDirectory, listen, controlListen, tls: ownTls, tlsNames, scriptUrl, ...others } = options;
	const { sidecarListen, sidecarAddress, agentListen, agentAddress, drainMs, ...hostOptions } = others;
	for (const address of [listen, controlListen]) requirePrivate(address, ownTls !== undefined || tlsNames !== undefined);
	await using opened = new AsyncDisposableStack();
	// A script must not reach the doors of its own server, where it would come from a trusted address.
	const ownPorts: number[] = [];
	const host = opened.use(await createHost({ ...hostOptions, dataDirectory, audit: true, forbiddenPorts: ownPorts }));
	const role = await lockExclusive(dataDirectory, "serve", host);
	opened.defer(() => role.close());
	const tokens = await host.tokens();
	const isOperator = readOperatorCredential(dataDirectory, options.operatorTokenFile);
	const operatorTokenFile = options.operatorTokenFile ?? operatorCredentialFile(dataDirectory);
	const traffic = await host.traffic();
	let ready = true;
	const isReady = (): boolean => ready;
	const certificate =
		tlsNames &&
		opened.use(await (await import("../ssh-bridge/server-certificate.ts")).ServerCertificate.open(dataDirectory, tlsNames));
	const tls = ownTls ?? certificate?.tls;
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
	const runtime = await createBridge({
		tls,
		hasAddresses: !("path" in listen),
		limits: host.limits,
		tokens,
		traffic,
		audit: host.audit,
		isReady,
	});
	const control = createServer({ maxConnections: host.limits.maxConnections, ...(tls && { tls }) });
	for (const server of [runtime, control]) certificate?.keepFresh(server);
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
	const reached = scriptUrl ?? reachedBy(listen, portOf(runtime), tlsNames, tls);
	if (reached !== undefined) {
		const { createUrlDoors } = await import("../ssh-bridge/url-doors.ts");
		host.sshDoors.url = createUrlDoors({ url: reached, tokens, trusted: () => certificate?.trusted });
	}
	const publish = (): void =>
		publishServing(dataDirectory, {
			pid: process.pid,
			host: host.id,
			control: reachedHere(control, controlListen, tls !== undefined),
			...(certificate
				? { trust: { authority: certificate.trusted } }
				: ownTls && { trust: { certificate: new X509Certificate(ownTls.certificate).toString() } }),
			asksForCertificates: tls?.clientIssuers !== undefined,
			operatorTokenFile,
		});
	publish();
	certificate?.onChange(publish);
	opened.defer(() => withdrawServing(dataDirectory, host.id));
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
		scriptUrl: reached,
		operatorTokenFile,
		async close() {
			ready = false;
			withdrawServing(dataDirectory, host.id);
			// Whoever watches a run is served until it has ended, and runs reach their helpers.
			await host.drain(drainMs);
			await Promise.all([drainServer(control, 1_000), drainServer(runtime, 1_000)]);
			await owned.disposeAsync();
		},
	};
}

/** What other machines reach where it listens: nothing of this machine alone, nothing in clear. */
function reachedBy(
	listen: Address,
	port: number | undefined,
	names: readonly string[] | undefined,
	tls: ServerTls | undefined,
): string | undefined {
	// Scripts have no certificates to show.
	if ("path" in listen || !tls || tls.clientIssuers !== undefined || port === undefined || isLoopback(listen.host))
		return undefined;
	const host = names?.[0] ?? (isEveryAddress(listen.host) ? undefined : listen.host);
	return host === undefined ? undefined : `https://${describeAddress({ host, port })}`;
}

/** Where others of this machine reach it. */
function reachedHere(server: FastifyInstance, listen: Address, isSecure: boolean): string {
	if ("path" in listen) return describeAddress(listen);
	const host = isEveryAddress(listen.host) ? (listen.host === "::" ? "::1" : "127.0.0.1") : listen.host;
	return `${isSecure ? "https" : "http"}://${describeAddress({ host, port: portOf(server) ?? listen.port })}`;
}

const isEveryAddress = (host: string): boolean => host === "0.0.0.0" || host === "::";

const portOf = ({ server }: FastifyInstance): number | undefined => (server.address() as AddressInfo | null)?.port;
