import { scopes as everyScope, type Scope } from "../../../host/contract/generated/types.ts";
import { type CallStep, type ConformanceCase, json } from "../conformance-case.ts";

/** A call for each function, by the scope that it needs. */
const calls: Readonly<Record<Scope, readonly CallStep[]>> = {
	"input:read": [{ call: "getInput" }],
	"output:write": [{ call: "setOutput", with: { value: json("1") } }],
	"variables:read": [
		{ call: "getVariable", with: { key: "a" } },
		{ call: "getVariableEntry", with: { key: "a" } },
		{ call: "listVariables" },
	],
	"variables:write": [
		{ call: "setVariable", with: { key: "a", value: json("2") } },
		{ call: "deleteVariable", with: { key: "a" } },
		{ call: "incrementVariable", with: { key: "a" } },
	],
	"condition:write": [{ call: "setCondition", with: { value: true } }],
	"condition:read": [{ call: "getCondition" }],
	"context:read": [{ call: "getEventContext" }],
	"log:write": [{ call: "writeLog", with: { level: "info", message: "a" } }],
};
/** What a guest in the sandbox tells its results by: one of them is in every case. */
const reporting: readonly Scope[] = ["output:write", "log:write"];
/**
 * In which cases each scope is given. None is given wherever another one is, so that a function which would need the other one, too, or instead, is found:
 * with five cases in place of one for each scope.
 */
const givenIn: Readonly<Record<Scope, readonly number[]>> = {
	"output:write": [0, 1, 2],
	"log:write": [3, 4],
	"input:read": [0, 3],
	"variables:read": [0, 4],
	"variables:write": [1, 3],
	"condition:read": [1, 4],
	"condition:write": [2, 3],
	"context:read": [2, 4],
};
for (const [scope, own] of Object.entries(givenIn))
	for (const [other, others] of Object.entries(givenIn))
		if (scope !== other && own.every((index) => others.includes(index)))
			throw new Error(`Wherever ${scope} is given, ${other} is: nothing shows that its functions do without.`);
const groups: readonly (readonly Scope[])[] = [0, 1, 2, 3, 4].map((index) =>
	everyScope.filter((scope) => givenIn[scope].includes(index)),
);

export const rightsCases: readonly ConformanceCase[] = [
	...groups.map(
		(scopes): ConformanceCase => ({
			title: `scope: with ${scopes.join(", ")} only, their functions work and all others are denied`,
			needs: ["rights"],
			given: { scopes, variables: { a: "1" } },
			steps: [
				...everyScope
					.filter((other) => !scopes.includes(other))
					.flatMap((other) => calls[other].map((step): CallStep => ({ ...step, fails: { code: "denied" } }))),
				...scopes.flatMap((scope) => calls[scope]),
			],
			leaves: scopes.includes("variables:write") ? {} : { variables: { a: 1 } },
		}),
	),
	{
		title: "scope: a run that may do nothing can do nothing",
		needs: ["rights"],
		given: { scopes: reporting, variables: { a: "1" } },
		steps: everyScope
			.filter((scope) => !reporting.includes(scope))
			.flatMap((scope) => calls[scope].map((step): CallStep => ({ ...step, fails: { code: "denied" } }))),
		leaves: { variables: { a: 1 }, condition: null },
	},
	{
		title: "namespace: the variables of another one are not there",
		needs: ["rights"],
		given: { elsewhere: { a: '"not yours"', b: "1" } },
		steps: [
			{ call: "getVariable", with: { key: "a" }, returns: null },
			{ call: "getVariableEntry", with: { key: "a" }, returns: null },
			{ call: "listVariables", returns: { items: [] } },
			{ call: "deleteVariable", with: { key: "b" }, returns: false },
			{ call: "incrementVariable", with: { key: "b" }, returns: 1 },
			...["../a", "-elsewhere/a", "/a", "%00a"].map((key) => ({ call: "getVariable", with: { key }, returns: null })),
		],
		leaves: { variables: { b: 1 } },
	},
	{
		title: "limit: a run's own limits count",
		needs: ["rights"],
		given: { limits: { maxValueBytes: 10, maxKeyCharacters: 5, maxJsonDepth: 2, maxPageSize: 3 } },
		steps: [
			{ call: "setVariable", with: { key: "a", value: json('"12345678"') } },
			{
				call: "setVariable",
				with: { key: "a", value: json('"123456789"') },
				fails: { code: "too-large", limit: "maxValueBytes" },
			},
			{ call: "setVariable", with: { key: "123456", value: json("1") }, fails: { code: "invalid", limit: "maxKeyCharacters" } },
			{ call: "setVariable", with: { key: "a", value: json("[[[]]]") }, fails: { code: "invalid", limit: "maxJsonDepth" } },
			{ call: "listVariables", with: { options: { limit: 4 } }, fails: { code: "invalid", limit: "maxPageSize" } },
		],
		leaves: { variables: { a: "12345678" } },
	},
];
