import { type ConformanceCase, json } from "../conformance-case.ts";

export const transportCases: readonly ConformanceCase[] = [
	{
		title: "retry: an effect whose answer was lost takes place once",
		needs: ["connection"],
		steps: [
			{ call: "incrementVariable", with: { key: "n" }, returns: 1 },
			{ cutNextAnswer: true },
			{ call: "incrementVariable", with: { key: "n" }, returns: 2 },
			{ cutNextAnswer: true },
			{ call: "setVariable", with: { key: "a", value: json("1"), options: { ifAbsent: true } } },
			{ cutNextAnswer: true },
			{ call: "deleteVariable", with: { key: "a" }, returns: true },
			{ call: "getVariable", with: { key: "n" }, returns: 2 },
		],
		leaves: { variables: { n: 2 } },
	},
	{
		title: "retry: a read whose answer was lost is read again",
		needs: ["connection"],
		given: { variables: { a: "1" } },
		steps: [{ cutNextAnswer: true }, { call: "getVariable", with: { key: "a" }, returns: 1 }],
	},
	{
		title: "limit: calls over maxCallsPerSecond wait, and are made",
		needs: ["connection"],
		given: { limits: { maxCallsPerSecond: 4 } },
		steps: Array.from({ length: 8 }, (_, index) => ({ call: "incrementVariable", with: { key: "n" }, returns: index + 1 })),
		leaves: { variables: { n: 8 } },
	},
	{
		title: "token: it is renewed in a run that is longer",
		needs: ["token"],
		given: { tokenLifetimeMs: 4_000 },
		steps: [
			{ call: "incrementVariable", with: { key: "n" }, returns: 1 },
			{ waitMs: 3_300 },
			{ call: "incrementVariable", with: { key: "n" }, returns: 2 },
			{ waitMs: 2_000 },
			{ firstTokenIsRefused: true },
			{ call: "incrementVariable", with: { key: "n" }, returns: 3 },
		],
		leaves: { variables: { n: 3 } },
	},
	{
		title: "token: it is good for nothing when the run has ended",
		needs: ["token", "lasting-door"],
		given: { variables: { a: "1" } },
		steps: [
			{ call: "getVariable", with: { key: "a" }, returns: 1 },
			{ endRun: true },
			{ call: "getVariable", with: { key: "a" }, fails: { code: "unauthenticated" } },
			{ call: "setVariable", with: { key: "a", value: json("2") }, fails: { code: "unauthenticated" } },
			{ call: "setCondition", with: { value: true }, fails: { code: "unauthenticated" } },
		],
		leaves: { variables: { a: 1 }, condition: null },
	},
];
