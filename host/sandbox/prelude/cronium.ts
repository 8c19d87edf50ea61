// biome-ignore-all lint/style/useTemplate: QuickJS compiles a template to a call of String.prototype.concat, which scripts can replace.

import { type GuestOperation, guestOperations } from "../../contract/generated/guest-operations.ts";
import { callHost, nothing, RuntimeError } from "./calls.ts";
import { inspect } from "./inspect.ts";
import { describeErrorsIn, toJsonText, toLogText } from "./json.ts";
import { define, freeze, parseJson, rejectPromise, stringSlice } from "./primordials.ts";

type Helper = (...args: unknown[]) => Promise<unknown>;

/** Longer messages are cut before they cross; no maxLogLineBytes is larger, so the host cuts again and says so. */
const maxMessageCharacters = 1024 * 1024;

/** Missing is null in JavaScript: a variable that does not exist, a condition that is not set. */
const decodeJson = (text: string): unknown => (text === "" ? null : parseJson(text));

/** The helper that calls `operation`; a mistake in the arguments rejects the promise, as any other error does. */
function createHelper(number: number, operation: GuestOperation): Helper {
	const { parameters, result } = operation;
	const decode = result === "none" ? nothing : decodeJson;
	const helper = (...args: unknown[]): Promise<unknown> => {
		try {
			let body: string | undefined;
			let params = "";
			let missing = "";
			for (let index = 0; index < parameters.length; index++) {
				const { name, kind, required } = parameters[index] as GuestOperation["parameters"][number];
				const value = args[index];
				if (kind === "json") {
					if (required || value !== undefined) body = toJsonText(value, name);
				} else if (value === undefined) {
					if (required) throw new RuntimeError("invalid", name + " is missing.");
					missing += ",null";
				} else {
					params += missing + "," + toJsonText(value, name);
					missing = "";
				}
			}
			return callHost(number, "[" + stringSlice(params, 1) + "]", body, decode);
		} catch (error) {
			return rejectPromise(error);
		}
	};
	define(helper, "name", operation.sdkName);
	return freeze(helper);
}

type Log = Record<"debug" | "info" | "warn" | "error", (message: unknown, fields?: object) => Promise<unknown>>;

/** `log.info("Total", { total })`: writeLog by level. What is not text is written as the console would write it. */
function createLog(writeLog: Helper): Log {
	const at =
		(level: string) =>
		(message: unknown, fields?: object): Promise<unknown> => {
			try {
				const text = typeof message === "string" ? message : inspect(message);
				const kept = stringSlice(text, 0, maxMessageCharacters + 1);
				// The text of the fields is parsed again by writeLog's own check, which then finds nothing wrong with it.
				const given = fields === undefined ? undefined : parseJson(toLogText(describeErrorsIn(fields), "fields"));
				return writeLog(level, kept, given);
			} catch (error) {
				return rejectPromise(error);
			}
		};
	return freeze({ debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") });
}

function createCronium(): Readonly<Record<string, unknown>> {
	const members: Record<string, unknown> = {};
	for (let number = 0; number < guestOperations.length; number++) {
		const operation = guestOperations[number] as GuestOperation;
		members[operation.sdkName] = createHelper(number, operation);
	}
	members.log = createLog(members.writeLog as Helper);
	members.RuntimeError = RuntimeError;
	return freeze(members);
}

/** What scripts see as the global `cronium` and import from the module "cronium". */
export const cronium = createCronium();

/** Source of the module "cronium": every member as a named export, and all of them as the default. */
export const croniumModule = `const cronium = globalThis.cronium;\nexport default cronium;\nexport const { ${Object.keys(cronium).join(", ")} } = cronium;\n`;
