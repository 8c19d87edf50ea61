// biome-ignore-all lint/style/useTemplate: QuickJS compiles a template to a call of String.prototype.concat, which scripts can replace.

import { type GuestOperation, guestOperations } from "../../contract/generated/guest-operations.ts";
import { call, callHost, decodeJson, nothing, RuntimeError } from "./calls.ts";
import { inspect } from "./inspect.ts";
import { describeErrorsIn, toJsonText, toLogText } from "./json.ts";
import { define, freeze, parseJson, rejectPromise, stringSlice } from "./primordials.ts";

type Helper = (...args: unknown[]) => Promise<unknown>;

/** Longer messages are cut before they cross; no maxLogLineBytes is larger, so the host cuts again and says so. */
const maxMessageCharacters = 1024 * 1024;

/** The helper that calls `operation`; a mistake in the arguments rejects the promise, as any other error does. */
function createHelper(number: number, operation: GuestOperation): Helper {
	const { parameters, result, sdkName } = operation;
	const decode = result === "none" ? nothing : decodeJson;
	const general = createGeneralHelper(number, parameters, decode);
	// Most calls take nothing or a key; collecting the arguments and going through them takes longer than such a call.
	let helper = general;
	if (parameters.length === 0) helper = () => callHost(number, "[]", undefined, decode);
	else if (parameters.length === 1 && parameters[0]?.kind === "plain")
		helper = (value) => (typeof value === "string" ? callHost(number, "=" + value, undefined, decode) : general(value));
	define(helper, "name", sdkName);
	return freeze(helper);
}

function createGeneralHelper(
	number: number,
	parameters: GuestOperation["parameters"],
	decode: (text: string) => unknown,
): Helper {
	return (...args) => {
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

const inputNumber = guestOperations.findIndex(({ sdkName }) => sdkName === "getInput");

/** The input for the default function, or a promise of it: null without the right to read it, because the script has not asked for it. */
export function readInput(): unknown {
	try {
		return call(inputNumber, "[]", undefined, decodeJson);
	} catch (error) {
		if ((error as RuntimeError).code === "denied") return null;
		throw error;
	}
}

/** Source of the module "cronium": every member as a named export, and all of them as the default. */
export const croniumModule = `const cronium = globalThis.cronium;\nexport default cronium;\nexport const { ${Object.keys(cronium).join(", ")} } = cronium;\n`;
