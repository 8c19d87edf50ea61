import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RuntimeError } from "../../../host/contract/errors.ts";
import { controlApi } from "../../../host/http/control/control-api.ts";
import type { ControlAction } from "../../../host/http/control/control-context.ts";
import { requireBearer } from "../../../host/http/credentials.ts";
import { createServer, drainServer, type ServerOptions } from "../../../host/http/server.ts";
import { createHost, type Host, type HostOptions } from "../../../host/index.ts";
import { ExecutionTokens } from "../../../host/tokens/execution-tokens.ts";
import { KeyRing } from "../../../host/tokens/key-ring.ts";

/** The credential that the server of these tests takes. */
export const credential = "the-operator-of-these-tests";

/** An answer of the control API. */
export interface ControlAnswer {
	readonly status: number;
	readonly headers: Headers;
	readonly text: string;
	// biome-ignore lint/suspicious/noExplicitAny: what it is depends on the route, and the test says what it expects.
	readonly body: any;
}

/** A real host with the control API on a real listener. */
export interface ControlServer extends AsyncDisposable {
	readonly host: Host;
	readonly tokens: ExecutionTokens;
	readonly dataDirectory: string;
	readonly url: string;
	readonly actions: ControlAction[];
	readonly internalErrors: Error[];
	/** A request with the operator's credential. A body that is no text is sent as JSON. */
	call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<ControlAnswer>;
}

export async function openControlServer(
	limits: HostOptions["limits"] & object = {},
	options: ServerOptions = {},
	containers: NonNullable<HostOptions["containers"]> = {},
): Promise<ControlServer> {
	await using opened = new AsyncDisposableStack();
	const dataDirectory = await mkdtemp(join(tmpdir(), "cronium-control-"));
	opened.defer(() => rm(dataDirectory, { recursive: true, force: true }));
	const host = opened.use(await createHost({ dataDirectory, warm: false, limits: { maxWorkers: 2, ...limits }, containers }));
	const tokens = new ExecutionTokens(new KeyRing(dataDirectory), host.limits, (id) => host.served(id));
	const actions: ControlAction[] = [];
	const internalErrors: Error[] = [];
	const server = createServer({ onInternalError: (error) => internalErrors.push(error), ...options });
	await server.register(controlApi, {
		host,
		tokens,
		isReady: () => true,
		identifyOperator(request) {
			if (requireBearer(request) !== credential)
				throw new RuntimeError("unauthenticated", "This is not the operator's credential.");
			return "operator";
		},
		audit: async (action) => void actions.push(action),
	});
	const url = await server.listen({ host: "127.0.0.1", port: 0 });
	opened.defer(() => drainServer(server, 100));
	const owned = opened.move();
	return {
		host,
		tokens,
		dataDirectory,
		url,
		actions,
		internalErrors,
		async call(method, path, body, headers = {}) {
			const response = await fetch(url + path, {
				method,
				headers: {
					authorization: `Bearer ${credential}`,
					...(body !== undefined && { "content-type": "application/json" }),
					...headers,
				},
				...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
			});
			const text = await response.text();
			const isJson = /json/.test(response.headers.get("content-type") ?? "");
			return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}
