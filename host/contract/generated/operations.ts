// Generated from wit/ by `npm run generate`. Do not edit.
import type { Helpers, Scope } from "./types.ts";

/** How one parameter is written as JSON: `json` is a JSON text that stands for itself. */
export type ParameterKind = "json" | "plain";

export interface Parameter {
	readonly name: string;
	readonly kind: ParameterKind;
	readonly required: boolean;
}

export interface Operation {
	/** `interface.function` in WIT names, stable, used in journals: `variables.get-entry`. */
	readonly id: string;
	readonly interface: keyof Helpers;
	/** The method's name in the TypeScript interface. */
	readonly method: string;
	/** The function's name in the JavaScript SDK and in sandboxed scripts. */
	readonly sdkName: string;
	readonly scope: Scope;
	/** Whether it changes something. */
	readonly effect: boolean;
	/** In order of the arguments. At most one has the kind `json`. */
	readonly parameters: readonly Parameter[];
	/** `entry` is a record with a JSON text inside. */
	readonly result: "none" | "json" | "plain" | "entry";
}

export const operations: readonly Operation[] = [
	{ id: "io.get-input", interface: "io", method: "getInput", sdkName: "getInput", scope: "input:read", effect: false, parameters: [], result: "json" },
	{ id: "io.set-output", interface: "io", method: "setOutput", sdkName: "setOutput", scope: "output:write", effect: true, parameters: [{ name: "value", kind: "json", required: true }], result: "none" },
	{ id: "variables.get", interface: "variables", method: "get", sdkName: "getVariable", scope: "variables:read", effect: false, parameters: [{ name: "key", kind: "plain", required: true }], result: "json" },
	{ id: "variables.get-entry", interface: "variables", method: "getEntry", sdkName: "getVariableEntry", scope: "variables:read", effect: false, parameters: [{ name: "key", kind: "plain", required: true }], result: "entry" },
	{ id: "variables.set", interface: "variables", method: "set", sdkName: "setVariable", scope: "variables:write", effect: true, parameters: [{ name: "key", kind: "plain", required: true }, { name: "value", kind: "json", required: true }, { name: "options", kind: "plain", required: false }], result: "plain" },
	{ id: "variables.delete", interface: "variables", method: "delete", sdkName: "deleteVariable", scope: "variables:write", effect: true, parameters: [{ name: "key", kind: "plain", required: true }, { name: "options", kind: "plain", required: false }], result: "plain" },
	{ id: "variables.list", interface: "variables", method: "list", sdkName: "listVariables", scope: "variables:read", effect: false, parameters: [{ name: "options", kind: "plain", required: false }], result: "plain" },
	{ id: "variables.increment", interface: "variables", method: "increment", sdkName: "incrementVariable", scope: "variables:write", effect: true, parameters: [{ name: "key", kind: "plain", required: true }, { name: "by", kind: "plain", required: false }], result: "plain" },
	{ id: "condition.set", interface: "condition", method: "set", sdkName: "setCondition", scope: "condition:write", effect: true, parameters: [{ name: "value", kind: "plain", required: true }], result: "none" },
	{ id: "condition.get", interface: "condition", method: "get", sdkName: "getCondition", scope: "condition:read", effect: false, parameters: [], result: "plain" },
	{ id: "event.get-context", interface: "event", method: "getContext", sdkName: "getEventContext", scope: "context:read", effect: false, parameters: [], result: "plain" },
	{ id: "log.write", interface: "log", method: "write", sdkName: "writeLog", scope: "log:write", effect: true, parameters: [{ name: "level", kind: "plain", required: true }, { name: "message", kind: "plain", required: true }, { name: "fields", kind: "json", required: false }], result: "none" },
];
