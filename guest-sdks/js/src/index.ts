import type * as module from "../cronium.d.ts";
import { type Client, createClient, createLog } from "./client.ts";
import { RuntimeError } from "./errors.ts";
import { createCalls } from "./generated/calls.ts";

export type { Client } from "./client.ts";
export type { ClientOptions } from "./connection.ts";
export { createClient, RuntimeError };

let client: (Client & Record<string, (...given: readonly unknown[]) => Promise<unknown>>) | undefined;

/** The client of the module's own functions: made by the environment when the first of them is called. */
const defaultClient = (): NonNullable<typeof client> => {
	client ??= createClient() as unknown as NonNullable<typeof client>;
	return client;
};

const calls = createCalls(async (operation, given) => {
	return await (defaultClient()[operation.name] as (...given: readonly unknown[]) => Promise<unknown>)(...given);
}) as unknown as import("./generated/calls.ts").Calls;

export const {
	getInput,
	setOutput,
	getVariable,
	getVariableEntry,
	setVariable,
	deleteVariable,
	listVariables,
	incrementVariable,
	setCondition,
	getCondition,
	getEventContext,
	writeLog,
} = calls;

export const log: typeof module.log = createLog(writeLog);

// A script may wait for longer than its token lasts before it calls anything: somebody has to renew it until then.
if (process.env.CRONIUM_EXECUTION_TOKEN) setTimeout(connectEarly, 30_000).unref();

function connectEarly(): void {
	try {
		defaultClient();
	} catch {
		// The first call says it.
	}
}

const cronium = { ...calls, log, RuntimeError };
export default cronium;
