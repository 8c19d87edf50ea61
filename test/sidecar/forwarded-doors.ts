import { Traffic } from "../../host/http/traffic.ts";
import type { ExternalRunOptions } from "../../host/run-options.ts";
import { ExecutionTokens } from "../../host/tokens/execution-tokens.ts";
import { KeyRing } from "../../host/tokens/key-ring.ts";
import type { SidecarCredentials } from "../../sidecar/sidecar-credentials.ts";
import { SidecarProcess, type SidecarProcessOptions } from "../../sidecar/sidecar-process.ts";
import { SidecarServer, type SidecarServerOptions } from "../../sidecar/sidecar-server.ts";
import { type Doors, type DoorsSetup, describeRun, openBasis, type RunAtDoor } from "./doors.ts";

/** A host that takes sidecar processes. */
export interface ForwardedDoors extends Doors {
	readonly server: SidecarServer;
	readonly tokens: ExecutionTokens;
	openRun(options?: ExternalRunOptions, tokenLifetimeMs?: number, changes?: SidecarChanges): Promise<ForwardedRun>;
}

export interface ForwardedRun extends RunAtDoor {
	readonly credentials: SidecarCredentials;
	readonly sidecar: SidecarProcess;
}

/** What a test has otherwise than the host has said. */
export interface SidecarChanges extends Partial<Omit<SidecarProcessOptions, "credentials">> {
	readonly credentials?: Partial<SidecarCredentials>;
}

/** The doors of runs are in sidecars that forward to the host; the sidecars are in this process, too. */
export async function openForwardedDoors(setup: DoorsSetup = {}): Promise<ForwardedDoors> {
	const opened = new AsyncDisposableStack();
	const basis = await openBasis(opened, setup);
	const { host, dataDirectory, internalErrors, makeDirectory } = basis;
	const tokens = new ExecutionTokens(new KeyRing(dataDirectory), host.limits, (id) => host.external(id));
	const traffic = new Traffic(host.limits);
	const listen = async (given: Partial<SidecarServerOptions> = {}): Promise<SidecarServer> =>
		opened.use(
			await SidecarServer.listen({
				dataDirectory,
				listen: { host: "127.0.0.1", port: 0 },
				limits: host.limits,
				tokens,
				traffic,
				audit: host.audit,
				findRun: (id) => host.external(id),
				isReady: () => true,
				onInternalError: (error) => internalErrors.push(error),
				...given,
			}),
		);
	const server = await listen();
	return {
		...basis,
		server,
		tokens,
		async openRun(options = {}, tokenLifetimeMs, changes = {}) {
			const run = await host.open(options);
			const its = tokenLifetimeMs === undefined ? server : await listen({ tokenLifetimeMs });
			const credentials = { ...(await its.issue(run)), ...changes.credentials };
			const place = makeDirectory();
			const sidecar = await SidecarProcess.open({ directory: place, ...changes, credentials });
			opened.use(sidecar);
			const described = describeRun(run, place, () => sidecar[Symbol.asyncDispose]());
			return {
				...described,
				credentials,
				sidecar,
				async end(report) {
					const outcome = await described.end(report);
					await sidecar[Symbol.asyncDispose]();
					return outcome;
				},
			};
		},
		[Symbol.asyncDispose]: () => opened.disposeAsync(),
	};
}
