import { credential, openControlServer } from "./control/control-server.ts";
import { openDoor } from "./door.ts";
import { type HttpAnswer, sendRequest } from "./send-request.ts";

/** What both servers have in common: a credential, and a route that takes a value of any kind. */
export interface AnyServer extends AsyncDisposable {
	readonly url: string;
	readonly authorization: string;
	/** Where a value is put. */
	readonly valuePath: string;
	/** The limit of its body, and the smallest value that it can have. */
	readonly bodyLimit: { readonly name: string; readonly value: number };
	readonly internalErrors: readonly Error[];
	/** Asks for the value: proof that the server is alive, and what it has. */
	readValue(): Promise<HttpAnswer>;
	/** The head of a request that puts the value, with further lines. */
	head(...lines: readonly string[]): string;
	/** Puts a body that was made by hand. */
	put(body: string | Buffer, headers?: Readonly<Record<string, string>>): Promise<HttpAnswer>;
}

export interface ServerKind {
	readonly name: string;
	open(options?: { readonly requestTimeoutMs?: number; readonly idleTimeoutMs?: number }): Promise<AnyServer>;
}

const smallest = 64 * 1024;

/** Both servers, each with a limit of 64 KiB for bodies: a test of how they are misused is run for each. */
export const everyServer: readonly ServerKind[] = [
	{
		name: "the runtime API",
		async open(server = {}) {
			const door = await openDoor({ server });
			const run = await door.startRun({ limits: { maxValueBytes: smallest } });
			return describe(
				door,
				`Bearer ${run.token}`,
				"/v1/variables/value",
				{ name: "maxValueBytes", value: smallest },
				async () => {
					await run.end();
					await door[Symbol.asyncDispose]();
				},
			);
		},
	},
	{
		name: "the control API",
		async open(options = {}) {
			const server = await openControlServer({ maxControlBodyBytes: smallest }, options);
			return describe(
				server,
				`Bearer ${credential}`,
				"/control/v1/namespaces/default/variables/value",
				{ name: "maxControlBodyBytes", value: smallest },
				() => Promise.resolve(server[Symbol.asyncDispose]()),
			);
		},
	},
];

function describe(
	{ url, internalErrors }: { readonly url: string; readonly internalErrors: readonly Error[] },
	authorization: string,
	valuePath: string,
	bodyLimit: AnyServer["bodyLimit"],
	dispose: () => Promise<void>,
): AnyServer {
	return {
		url,
		authorization,
		valuePath,
		bodyLimit,
		internalErrors,
		readValue: () => sendRequest({ url }, "GET", valuePath, { headers: { authorization } }),
		head: (...lines) =>
			`PUT ${valuePath} HTTP/1.1\r\n${["Host: a", `Authorization: ${authorization}`, "Content-Type: application/json", ...lines].join("\r\n")}\r\n\r\n`,
		put: (body, headers = {}) => sendRequest({ url }, "PUT", valuePath, { headers: { authorization, ...headers }, body }),
		[Symbol.asyncDispose]: dispose,
	};
}
