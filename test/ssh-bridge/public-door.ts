import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import type { ExternalReport, ExternalRun } from "../../host/executors/external.ts";
import { drainServer } from "../../host/http/server.ts";
import { createHost, type Host, type HostOptions, type Outcome } from "../../host/index.ts";
import type { ExternalRunOptions } from "../../host/run-options.ts";
import type { ExecutionTokens, TokenTerms } from "../../host/tokens/execution-tokens.ts";
import { createBridge } from "../../ssh-bridge/bridge.ts";
import { ServerCertificate } from "../../ssh-bridge/server-certificate.ts";
import { type HttpAnswer, type RequestOptions, sendRequest } from "../http/send-request.ts";

/** A real host with its public door: HTTPS on loopback, with a certificate of the host's own authority. */
export interface PublicDoor extends AsyncDisposable {
	readonly host: Host;
	readonly dataDirectory: string;
	readonly tokens: ExecutionTokens;
	readonly certificate: ServerCertificate;
	readonly server: FastifyInstance;
	readonly url: string;
	/** The file that says whom to trust. */
	readonly trustFile: string;
	readonly internalErrors: Error[];
	/** From this address of the machine, or another one. */
	call(method: string, path: string, given?: PublicCall): Promise<HttpAnswer>;
	openRun(options?: ExternalRunOptions, terms?: Partial<TokenTerms>): Promise<PublicRun>;
}

export interface PublicCall extends RequestOptions {
	readonly token?: string;
	readonly from?: string;
}

export interface PublicRun {
	readonly run: ExternalRun;
	readonly token: string;
	call(method: string, path: string, given?: PublicCall): Promise<HttpAnswer>;
	end(report?: ExternalReport): Promise<Outcome>;
}

export async function openPublicDoor(limits: NonNullable<HostOptions["limits"]> = {}): Promise<PublicDoor> {
	await using opened = new AsyncDisposableStack();
	const directory = await mkdtemp(join(tmpdir(), "public-door-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const dataDirectory = join(directory, "data");
	const host = opened.use(
		await createHost({ dataDirectory, warm: false, audit: true, limits: { maxWorkers: 1, maxWallTimeMs: 120_000, ...limits } }),
	);
	const tokens = await host.tokens();
	const certificate = opened.use(await ServerCertificate.open(dataDirectory, ["127.0.0.1"]));
	const internalErrors: Error[] = [];
	const server = await createBridge({
		tls: certificate.tls,
		hasAddresses: true,
		limits: host.limits,
		tokens,
		traffic: await host.traffic(),
		audit: host.audit,
		isReady: () => true,
		onInternalError: (error) => internalErrors.push(error),
	});
	certificate.keepFresh(server);
	opened.defer(() => drainServer(server, 100));
	const url = await server.listen({ host: "127.0.0.1", port: 0 });
	const trustFile = join(directory, "ca.pem");
	await writeFile(trustFile, certificate.trusted);
	const call: PublicDoor["call"] = (method, path, { token, from, headers, ...rest } = {}) =>
		sendRequest({ url, tls: { ca: certificate.trusted }, ...(from !== undefined && { localAddress: from }) }, method, path, {
			headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
			...rest,
		});
	const owned = opened.move();
	return {
		host,
		dataDirectory,
		tokens,
		certificate,
		server,
		url,
		trustFile,
		internalErrors,
		call,
		async openRun(options = {}, terms = {}) {
			const run = await host.open(options);
			const { token } = await tokens.issue(run, { audience: "bridge", ...terms });
			return {
				run,
				token,
				call: (method, path, given) => call(method, path, { token, ...given }),
				end(report = { status: "succeeded" }) {
					run.end(report);
					return run.outcome;
				},
			};
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}
