import { expect } from "vitest";
import { type ConformanceCase, json } from "../conformance-case.ts";

/** Legal, and wrong in at least one place that a key goes through. */
const odd = [
	"a/b",
	"/",
	"//a//",
	"a%2Fb",
	"%",
	"%2e%2e",
	"..%2f",
	"../a",
	"a/../b",
	"./a",
	"...",
	" ",
	" a ",
	"a b+c",
	"a?b=c&d#e",
	"a;b:c@d,e=f",
	"-n",
	"--help",
	"-",
	"*",
	"~",
	"[a]{b,c}",
	"$HOME",
	"`id`$(id)",
	"'\"\\",
	"a|b&c>d<e",
	"!!",
	"é",
	"e\u0301",
	"日本語",
	"\u{1f600}",
	"\u202e\u2028",
	"\ufeff",
	"__proto__",
	"constructor",
	"toString",
	"k".repeat(255),
	"\u{1f600}".repeat(255),
];
const byBytes = [...odd].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));

export const keyCases: readonly ConformanceCase[] = [
	{
		title: "key: odd ones name what they say, and are listed in the order of their bytes",
		steps: [
			...odd.map((key, index) => ({ call: "setVariable", with: { key, value: json(String(index)) } })),
			...odd.map((key, index) => ({ call: "getVariable", with: { key }, returns: index })),
			{ call: "listVariables", as: "page" },
		],
		leaves: { variables: Object.fromEntries(odd.map((key, index) => [key, index])) },
	},
	{
		title: "key: a page holds odd ones as they are",
		given: { variables: Object.fromEntries(odd.map((key) => [key, "1"])) },
		steps: [
			{
				call: "listVariables",
				returns: { items: byBytes.map((key) => ({ key, metadata: expectMetadata() })) },
			},
			...odd.map((key) => ({ call: "deleteVariable", with: { key }, returns: true })),
		],
		leaves: { variables: {} },
	},
	{
		title: "key: what cannot be one is refused by every function",
		steps: ["", ".", "..", "k".repeat(256), "a\nb", "\u0001", "a\u007f", "\u0085"].flatMap((key) => [
			{ call: "getVariable", with: { key }, fails: refusal(key) },
			{ call: "getVariableEntry", with: { key }, fails: refusal(key) },
			{ call: "setVariable", with: { key, value: json("1") }, fails: refusal(key) },
			{ call: "deleteVariable", with: { key }, fails: refusal(key) },
			{ call: "incrementVariable", with: { key }, fails: refusal(key) },
		]),
		leaves: { variables: {} },
	},
];

function refusal(key: string): { readonly code: string; readonly limit?: string } {
	return { code: "invalid", ...(key.length > 255 && { limit: "maxKeyCharacters" }) };
}

function expectMetadata(): unknown {
	return {
		version: expect.any(String),
		createdAt: expect.any(String),
		updatedAt: expect.any(String),
		updatedBy: expect.any(String),
		size: 1,
	};
}
