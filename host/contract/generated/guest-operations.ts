// Generated from wit/ by `npm run generate`. Do not edit.
import type { Operation, Parameter } from "./operations.ts";

/** What a guest knows of an operation. */
export interface GuestOperation extends Pick<Operation, "sdkName" | "result"> {
	readonly parameters: readonly Pick<Parameter, "name" | "kind" | "required">[];
}

/** Every operation, in the order of the table `operations`: a guest calls an operation by its index. */
export const guestOperations: readonly GuestOperation[] = [
	{ sdkName: "getInput", parameters: [], result: "json" },
	{ sdkName: "setOutput", parameters: [{ name: "value", kind: "json", required: true }], result: "none" },
	{ sdkName: "getVariable", parameters: [{ name: "key", kind: "plain", required: true }], result: "json" },
	{ sdkName: "getVariableEntry", parameters: [{ name: "key", kind: "plain", required: true }], result: "entry" },
	{
		sdkName: "setVariable",
		parameters: [
			{ name: "key", kind: "plain", required: true },
			{ name: "value", kind: "json", required: true },
			{ name: "options", kind: "plain", required: false },
		],
		result: "plain",
	},
	{
		sdkName: "deleteVariable",
		parameters: [{ name: "key", kind: "plain", required: true }, { name: "options", kind: "plain", required: false }],
		result: "plain",
	},
	{ sdkName: "listVariables", parameters: [{ name: "options", kind: "plain", required: false }], result: "plain" },
	{
		sdkName: "incrementVariable",
		parameters: [{ name: "key", kind: "plain", required: true }, { name: "by", kind: "plain", required: false }],
		result: "plain",
	},
	{ sdkName: "setCondition", parameters: [{ name: "value", kind: "plain", required: true }], result: "none" },
	{ sdkName: "getCondition", parameters: [], result: "plain" },
	{ sdkName: "getEventContext", parameters: [], result: "plain" },
	{
		sdkName: "writeLog",
		parameters: [
			{ name: "level", kind: "plain", required: true },
			{ name: "message", kind: "plain", required: true },
			{ name: "fields", kind: "json", required: false },
		],
		result: "none",
	},
];
