import { type ConformanceCase, json } from "../conformance-case.ts";

export const incrementCases: readonly ConformanceCase[] = [
	{
		title: "increment: a missing variable starts at 0, and the sum comes back",
		steps: [
			{ call: "incrementVariable", with: { key: "n" }, returns: 1 },
			{ call: "incrementVariable", with: { key: "n", by: 5 }, returns: 6 },
			{ call: "incrementVariable", with: { key: "n", by: -10 }, returns: -4 },
			{ call: "incrementVariable", with: { key: "n", by: 0 }, returns: -4 },
			{ call: "incrementVariable", with: { key: "n", by: 0.5 }, returns: -3.5 },
			{ call: "getVariable", with: { key: "n" }, returns: -3.5 },
		],
		leaves: { variables: { n: -3.5 } },
	},
	{
		title: "increment: fractions add up as doubles do",
		given: { variables: { n: "0.1" } },
		steps: [{ call: "incrementVariable", with: { key: "n", by: 0.2 }, returns: 0.1 + 0.2 }],
	},
	{
		title: "increment: what is not a number is refused, and stays",
		given: { variables: { text: '"1"', nothing: "null", list: "[1]", truth: "true" } },
		steps: ["text", "nothing", "list", "truth"].map((key) => ({
			call: "incrementVariable",
			with: { key },
			fails: { code: "invalid" },
		})),
		leaves: { variables: { text: "1", nothing: null, list: [1], truth: true } },
	},
	{
		title: "increment: a sum out of range is refused, and the number stays",
		given: { variables: { whole: "9007199254740991", large: "1.7e308" } },
		steps: [
			{ call: "incrementVariable", with: { key: "whole" }, fails: { code: "invalid" } },
			{ call: "incrementVariable", with: { key: "large", by: 1.7e308 }, fails: { code: "invalid" } },
			{ call: "incrementVariable", with: { key: "whole", by: -1 }, returns: 9007199254740990 },
		],
		leaves: { variables: { whole: 9007199254740990, large: 1.7e308 } },
	},
	{
		title: "increment: concurrent ones add up",
		needs: ["concurrency"],
		steps: [
			{ parallel: { call: "incrementVariable", with: { key: "n" } }, lanes: 5, times: 4, as: "sums" },
			{ call: "getVariable", with: { key: "n" }, returns: 20 },
		],
		leaves: { variables: { n: 20 } },
	},
	{
		title: "increment: 1,000 at one time add up",
		needs: ["thousand"],
		given: { limits: { maxCallsPerSecond: 100_000 } },
		steps: [
			{ parallel: { call: "incrementVariable", with: { key: "n" } }, lanes: 1_000, times: 1 },
			{ call: "getVariable", with: { key: "n" }, returns: 1_000 },
		],
		leaves: { variables: { n: 1_000 } },
	},
	{
		title: "increment: one that is under way beside other writes is not lost",
		needs: ["concurrency"],
		given: { variables: { n: "10" } },
		steps: [
			{ parallel: { call: "incrementVariable", with: { key: "n", by: 2 } }, lanes: 3, times: 2 },
			{ call: "setVariable", with: { key: "m", value: json("1") } },
			{ call: "getVariable", with: { key: "n" }, returns: 22 },
		],
		leaves: { variables: { n: 22, m: 1 } },
	},
];
