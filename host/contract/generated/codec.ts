// Generated from wit/ by `npm run generate`. Do not edit.
import { finite, flag, oneOf, prose, readParameters, record, refuseBody, requiredJson, text, unknownField, whole } from "../shapes.ts";
import type { DeleteOptions, Entry, ListOptions, SetOptions } from "./types.ts";

type Decoder = (params: string, body: string | undefined) => unknown[];

function setOptions(value: unknown, name: string): SetOptions {
	const given = record(value, name);
	const result: { -readonly [Field in keyof SetOptions]: SetOptions[Field] } = {};
	for (const field of Object.keys(given))
		switch (field) {
			case "ifVersion":
				result.ifVersion = text(given[field], `${name}.${field}`);
				break;
			case "ifAbsent":
				result.ifAbsent = flag(given[field], `${name}.${field}`);
				break;
			case "expiresInMs":
				result.expiresInMs = whole(given[field], `${name}.${field}`, 0, 9007199254740991);
				break;
			default:
				throw unknownField(field, name, ["ifVersion", "ifAbsent", "expiresInMs"]);
		}
	return result;
}
function deleteOptions(value: unknown, name: string): DeleteOptions {
	const given = record(value, name);
	const result: { -readonly [Field in keyof DeleteOptions]: DeleteOptions[Field] } = {};
	for (const field of Object.keys(given))
		switch (field) {
			case "ifVersion":
				result.ifVersion = text(given[field], `${name}.${field}`);
				break;
			default:
				throw unknownField(field, name, ["ifVersion"]);
		}
	return result;
}
function listOptions(value: unknown, name: string): ListOptions {
	const given = record(value, name);
	const result: { -readonly [Field in keyof ListOptions]: ListOptions[Field] } = {};
	for (const field of Object.keys(given))
		switch (field) {
			case "prefix":
				result.prefix = text(given[field], `${name}.${field}`);
				break;
			case "cursor":
				result.cursor = text(given[field], `${name}.${field}`);
				break;
			case "limit":
				result.limit = whole(given[field], `${name}.${field}`, 0, 4294967295);
				break;
			default:
				throw unknownField(field, name, ["prefix", "cursor", "limit"]);
		}
	return result;
}
const level = ["debug", "info", "warn", "error"] as const;
const optional = <T>(value: unknown, name: string, read: (value: unknown, name: string) => T): T | undefined =>
	value === undefined || value === null ? undefined : read(value, name);

const none = (name: string): Decoder => (params, body) => {
	readParameters(name, params, 0);
	refuseBody(name, body);
	return [];
};
const keyOnly = (name: string): Decoder => (params, body) => {
	const given = readParameters(name, params, 1);
	refuseBody(name, body);
	return [text(given[0], "key")];
};

export const decoders: Readonly<Record<string, Decoder>> & { [id: string]: Decoder } = {
	"io.get-input": none("getInput"),
	"io.set-output": (params, body) => {
		readParameters("setOutput", params, 0);
		return [requiredJson(body, "value")];
	},
	"variables.get": keyOnly("getVariable"),
	"variables.get-entry": keyOnly("getVariableEntry"),
	"variables.set": (params, body) => {
		const given = readParameters("setVariable", params, 2);
		return [text(given[0], "key"), requiredJson(body, "value"), optional(given[1], "options", setOptions)];
	},
	"variables.delete": (params, body) => {
		const given = readParameters("deleteVariable", params, 2);
		refuseBody("deleteVariable", body);
		return [text(given[0], "key"), optional(given[1], "options", deleteOptions)];
	},
	"variables.list": (params, body) => {
		const given = readParameters("listVariables", params, 1);
		refuseBody("listVariables", body);
		return [optional(given[0], "options", listOptions)];
	},
	"variables.increment": (params, body) => {
		const given = readParameters("incrementVariable", params, 2);
		refuseBody("incrementVariable", body);
		return [text(given[0], "key"), given[1] === undefined ? undefined : finite(given[1], "by")];
	},
	"condition.set": (params, body) => {
		const given = readParameters("setCondition", params, 1);
		refuseBody("setCondition", body);
		return [flag(given[0], "value")];
	},
	"condition.get": none("getCondition"),
	"event.get-context": none("getEventContext"),
	"log.write": (params, body) => {
		const given = readParameters("writeLog", params, 2);
		return [oneOf(given[0], "level", level), prose(given[1], "message"), body];
	},
};

export const encoders: Readonly<Record<string, (value: unknown) => string>> & { [id: string]: (value: unknown) => string } = {
	"variables.get-entry": (value) => {
		const entry = value as Entry;
		return `{"value":${entry.value},"metadata":${JSON.stringify(entry.metadata)}}`;
	},
};
