// Generated from wit/ by `npm run generate`. Do not edit.
import { finite, flag, oneOf, prose, readParameters, record, refuseBody, requiredJson, string, unknownField, whole } from "../shapes.ts";
import type { OperationId } from "./operations.ts";
import type { DeleteOptions, Entry, ListOptions, SetOptions } from "./types.ts";

type Decode = (params: string | readonly unknown[], body: string | undefined) => unknown[];
type Encode = (result: unknown) => string;

/** Reads the parameters of one operation and writes its result. */
export interface Codec {
	readonly decode: Decode;
	readonly encode: Encode;
}

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

const level = ["debug", "info", "warn", "error"] as const;

function setOptions(value: unknown, name: string): SetOptions {
	const given = record(value, name);
	const result: Mutable<SetOptions> = {};
	for (const field of Object.keys(given))
		switch (field) {
			case "ifVersion":
				result.ifVersion = string(given[field], `${name}.ifVersion`);
				break;
			case "ifAbsent":
				result.ifAbsent = flag(given[field], `${name}.ifAbsent`);
				break;
			case "expiresInMs":
				result.expiresInMs = whole(given[field], `${name}.expiresInMs`, 0, 9007199254740991);
				break;
			default:
				throw unknownField(field, name, ["ifVersion", "ifAbsent", "expiresInMs"]);
		}
	return result;
}

function deleteOptions(value: unknown, name: string): DeleteOptions {
	const given = record(value, name);
	const result: Mutable<DeleteOptions> = {};
	for (const field of Object.keys(given))
		switch (field) {
			case "ifVersion":
				result.ifVersion = string(given[field], `${name}.ifVersion`);
				break;
			default:
				throw unknownField(field, name, ["ifVersion"]);
		}
	return result;
}

function listOptions(value: unknown, name: string): ListOptions {
	const given = record(value, name);
	const result: Mutable<ListOptions> = {};
	for (const field of Object.keys(given))
		switch (field) {
			case "prefix":
				result.prefix = string(given[field], `${name}.prefix`);
				break;
			case "cursor":
				result.cursor = string(given[field], `${name}.cursor`);
				break;
			case "limit":
				result.limit = whole(given[field], `${name}.limit`, 0, 4294967295);
				break;
			default:
				throw unknownField(field, name, ["prefix", "cursor", "limit"]);
		}
	return result;
}

const nothing: Encode = () => "";
const text: Encode = (result) => result as string;
const plain: Encode = (result) => JSON.stringify(result);

const entry: Encode = (result) => {
	const value = result as Entry;
	return `{"value":${value.value},"metadata":${JSON.stringify(value.metadata)}}`;
};

/** How each operation's parameters are read and its result is written. The functions of encode.ts are the way to use it. */
export const codecs: Readonly<Record<OperationId, Codec>> = {
	"io.get-input": {
		decode(params, body) {
			readParameters("getInput", params, 0);
			refuseBody("getInput", body);
			return [];
		},
		encode: text,
	},
	"io.set-output": {
		decode(params, body) {
			readParameters("setOutput", params, 0);
			return [requiredJson(body, "value")];
		},
		encode: nothing,
	},
	"variables.get": {
		decode(params, body) {
			const given = readParameters("getVariable", params, 1);
			refuseBody("getVariable", body);
			return [string(given[0], "key")];
		},
		encode: text,
	},
	"variables.get-entry": {
		decode(params, body) {
			const given = readParameters("getVariableEntry", params, 1);
			refuseBody("getVariableEntry", body);
			return [string(given[0], "key")];
		},
		encode: entry,
	},
	"variables.set": {
		decode(params, body) {
			const given = readParameters("setVariable", params, 2);
			return [string(given[0], "key"), requiredJson(body, "value"), given[1] === undefined || given[1] === null ? undefined : setOptions(given[1], "options")];
		},
		encode: plain,
	},
	"variables.delete": {
		decode(params, body) {
			const given = readParameters("deleteVariable", params, 2);
			refuseBody("deleteVariable", body);
			return [string(given[0], "key"), given[1] === undefined || given[1] === null ? undefined : deleteOptions(given[1], "options")];
		},
		encode: plain,
	},
	"variables.list": {
		decode(params, body) {
			const given = readParameters("listVariables", params, 1);
			refuseBody("listVariables", body);
			return [given[0] === undefined || given[0] === null ? undefined : listOptions(given[0], "options")];
		},
		encode: plain,
	},
	"variables.increment": {
		decode(params, body) {
			const given = readParameters("incrementVariable", params, 2);
			refuseBody("incrementVariable", body);
			return [string(given[0], "key"), given[1] === undefined ? undefined : finite(given[1], "by")];
		},
		encode: plain,
	},
	"condition.set": {
		decode(params, body) {
			const given = readParameters("setCondition", params, 1);
			refuseBody("setCondition", body);
			return [flag(given[0], "value")];
		},
		encode: nothing,
	},
	"condition.get": {
		decode(params, body) {
			readParameters("getCondition", params, 0);
			refuseBody("getCondition", body);
			return [];
		},
		encode: plain,
	},
	"event.get-context": {
		decode(params, body) {
			readParameters("getEventContext", params, 0);
			refuseBody("getEventContext", body);
			return [];
		},
		encode: plain,
	},
	"log.write": {
		decode(params, body) {
			const given = readParameters("writeLog", params, 2);
			return [oneOf(given[0], "level", level), prose(given[1], "message"), body];
		},
		encode: nothing,
	},
};
