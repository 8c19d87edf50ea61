import { type ConformanceCase, json } from "../conformance-case.ts";

/** A value as scripts hand it over, and what is to come back. */
const values: readonly (readonly [name: string, text: string])[] = [
	["0", "0"],
	["false", "false"],
	["an empty text", '""'],
	["null", "null"],
	["an empty list", "[]"],
	["an empty object", "{}"],
	["numbers", "[-12,0.1,9007199254740991,1.5e+300]"],
	["a text that ends with line feeds", JSON.stringify("a\n\n")],
	[
		"texts with quotes, control characters and Unicode of all planes",
		JSON.stringify([
			`"'\\ \\n $HOME \`x\` $(x) %s !!`,
			"\u0000\u0001\b\t\n\r\u001b\u007f",
			"äß \u2028\u2029 日本語 \u{1f600} e\u0301 \u202e \ufeff\uffff",
		]),
	],
	["nested lists and objects", '{"b":1,"a":[{"b":[[],{"":null}]},[0,false,""]],"":{" ":{"__proto__":1}},"10":3}'],
	["128 levels", `${"[".repeat(128)}${"]".repeat(128)}`],
];

const megabyte = `"${"ä".repeat((1024 * 1024 - 2) / 2)}"`;

export const valueCases: readonly ConformanceCase[] = [
	...values.map(
		([name, text]): ConformanceCase => ({
			title: `value: ${name} comes back from a variable, its entry and the input`,
			given: { input: text, variables: { given: text } },
			steps: [
				{ call: "getInput", returns: JSON.parse(text) },
				{ call: "getVariable", with: { key: "given" }, returns: JSON.parse(text) },
				{ call: "setVariable", with: { key: "set", value: json(text) } },
				{ call: "getVariable", with: { key: "set" }, returns: JSON.parse(text) },
				{ call: "getVariableEntry", with: { key: "set" }, as: "entry" },
				{ call: "setOutput", with: { value: json(text) } },
			],
			leaves: { output: JSON.parse(text), variables: { given: JSON.parse(text), set: JSON.parse(text) } },
		}),
	),
	{
		title: "value: 1 MiB comes back from a variable and the input",
		given: { input: megabyte },
		steps: [
			{ call: "getInput", returnsText: megabyte },
			{ call: "setVariable", with: { key: "large", value: json(megabyte) } },
			{ call: "getVariable", with: { key: "large" }, returnsText: megabyte },
		],
	},
	{
		title: "value: 1 MiB is an output",
		steps: [{ call: "setOutput", with: { value: json(megabyte) } }],
		leaves: { outputText: megabyte },
	},
	{
		title: "value: a byte over 1 MiB is refused, and nothing is changed",
		given: { variables: { large: "1" } },
		steps: [
			{
				call: "setVariable",
				with: { key: "large", value: json(`"a${"a".repeat(1024 * 1024 - 2)}"`) },
				fails: { code: "too-large", limit: "maxValueBytes" },
			},
			{ call: "getVariable", with: { key: "large" }, returns: 1 },
		],
		leaves: { variables: { large: 1 } },
	},
	{
		title: "value: 129 levels are refused",
		steps: [
			{
				call: "setVariable",
				with: { key: "deep", value: json(`${"[".repeat(129)}${"]".repeat(129)}`) },
				fails: { code: "invalid", limit: "maxJsonDepth" },
			},
		],
		leaves: { variables: {} },
	},
	{
		title: "value: a lone surrogate is refused",
		steps: [{ call: "setVariable", with: { key: "lone", value: json('"\\ud800"') }, fails: { code: "invalid" } }],
		leaves: { variables: {} },
	},
	{
		title: "value: a duplicate member is refused",
		needs: ["texts"],
		steps: [{ call: "setVariable", with: { key: "twice", value: json('{"a":1,"a":2}') }, fails: { code: "invalid" } }],
		leaves: { variables: {} },
	},
	{
		title: "value: what is not JSON is refused",
		needs: ["texts"],
		steps: ["", "{", "[1,]", "01", "NaN", "'a'", "1 2", "\t", "nul"].map((text) => ({
			call: "setVariable",
			with: { key: "wrong", value: json(text) },
			fails: { code: "invalid" },
		})),
		leaves: { variables: {} },
	},
	{
		title: "value: numbers keep their form",
		needs: ["exact-numbers"],
		given: { variables: { whole: "1.0", large: "1152921504606846977" } },
		steps: [
			{ call: "getVariable", with: { key: "whole" }, returnsText: "1.0" },
			{ call: "getVariable", with: { key: "large" }, returnsText: "1152921504606846977" },
			{ call: "setOutput", with: { value: json("1152921504606846977") } },
		],
		leaves: { outputText: "1152921504606846977" },
	},
];
