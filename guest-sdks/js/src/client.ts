import type * as module from "../cronium.d.ts";
import { type ClientOptions, resolveConnection } from "./connection.ts";
import { type Calls, createCalls } from "./generated/calls.ts";
import { describeErrorsIn, toLogText } from "./json.ts";
import type { Operation } from "./operation.ts";
import { toCall, toResult } from "./requests.ts";
import { Stub } from "./stub.ts";
import { Transport } from "./transport.ts";

/** The helpers of one run, over one connection. */
export interface Client extends Calls {
	readonly log: typeof module.log;
	/** Closes the connections. Without it they close with the process. */
	close(): void;
}

/**
 * Connects to the runtime: by the options, else by the environment (`CRONIUM_SOCKET`, `CRONIUM_API_URL`, …), else to the stub. Throws
 * `invalid`, naming what is missing, when the settings are not complete.
 *
 * @example
 * const client = createClient({ url: "https://cronium.example:8443", token });
 * await client.setVariable("seen", true);
 * client.close();
 */
export function createClient(options: ClientOptions = {}): Client {
	const { perform, close } = connect(options);
	const calls = createCalls(perform) as unknown as Calls;
	return { ...calls, log: createLog(calls.writeLog), close };
}

/** Something that performs calls: the runtime over HTTP, or the stub. */
export function connect(options: ClientOptions): {
	readonly perform: (operation: Operation, given: readonly unknown[]) => Promise<unknown>;
	readonly close: () => void;
} {
	const connection = resolveConnection(options, process.env);
	if (!connection) {
		const stub = new Stub(process.env);
		return { perform: async (operation, given) => stub.perform(operation, given), close: () => undefined };
	}
	const transport = new Transport(connection, process.env);
	return {
		perform: async (operation, given) => toResult(operation, await transport.send(toCall(operation, given))),
		close: () => transport.close(),
	};
}

/** `log.info("Total", { total })`: writeLog by level. What is not text is written as the console would write it. */
export function createLog<Answer>(writeLog: (level: module.Level, message: string, fields?: object) => Answer) {
	const at =
		(level: module.Level) =>
		(message: unknown, fields?: object): Answer =>
			writeLog(
				level,
				typeof message === "string" ? (message.toWellFormed?.() ?? message) : describe(message),
				readFields(fields),
			);
	return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function readFields(fields: object | undefined): object | undefined {
	return fields === undefined ? undefined : (JSON.parse(toLogText(describeErrorsIn(fields), "fields")) as object);
}

function describe(message: unknown): string {
	if (message instanceof Error) return message.stack ?? String(message);
	return typeof message === "object" && message !== null ? toLogText(message, "message") : String(message);
}
