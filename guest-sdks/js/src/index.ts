import type * as module from "../cronium.d.ts";
import { type Client, createClient, createLog } from "./client.ts";
import { RuntimeError } from "./errors.ts";
import { createCalls } from "./generated/calls.ts";

export type { Client } from "./client.ts";
export type { ClientOptions } from "./connection.ts";
export { createClient, RuntimeError };

let client: (Client & Record<string, (...given: readonly unknown[]) => Promise<unknown>>) | undefined;

/** The client of the module's own functions: made by the environment when the first of them is called. */
const calls = createCalls(async (operation, given) => {
	client ??= createClient() as unknown as NonNullable<typeof client>;
	return await (client[operation.name] as (...given: readonly unknown[]) => Promise<unknown>)(...given);
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

const cronium = { ...calls, log, RuntimeError };
export default cronium;
