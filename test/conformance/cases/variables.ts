import { expect } from "vitest";
import { type ConformanceCase, json, result } from "../conformance-case.ts";

const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const metadata = { version: expect.any(String), createdAt: timestamp, updatedAt: timestamp, updatedBy: expect.any(String) };

export const variableCases: readonly ConformanceCase[] = [
	{
		title: "variable: a missing one is nothing, and deleting it is false",
		steps: [
			{ call: "getVariable", with: { key: "none" }, returns: null },
			{ call: "getVariableEntry", with: { key: "none" }, returns: null },
			{ call: "deleteVariable", with: { key: "none" }, returns: false },
		],
		leaves: { variables: {} },
	},
	{
		title: "variable: the entry tells null from missing, and has the metadata",
		steps: [
			{ call: "setVariable", with: { key: "a", value: json("null") }, as: "version" },
			{ call: "getVariable", with: { key: "a" }, returns: null },
			{
				call: "getVariableEntry",
				with: { key: "a" },
				returns: { value: null, metadata: { ...metadata, version: result("version"), size: 4 } },
			},
			{ call: "setVariable", with: { key: "ä", value: json('"ä"') } },
			{ call: "getVariableEntry", with: { key: "ä" }, returns: { value: "ä", metadata: { ...metadata, size: 4 } } },
		],
	},
	{
		title: "variable: the last write counts, and every write has another version",
		steps: [
			{ call: "setVariable", with: { key: "a", value: json("1") }, as: "first" },
			{ call: "setVariable", with: { key: "a", value: json("1") }, as: "second" },
			{ call: "getVariableEntry", with: { key: "a" }, as: "entry" },
			{
				call: "setVariable",
				with: { key: "a", value: json("3"), options: { ifVersion: result("first") } },
				fails: { code: "conflict", currentVersion: result("second") },
			},
			{ call: "setVariable", with: { key: "a", value: json("4"), options: { ifVersion: result("entry", "metadata.version") } } },
		],
		leaves: { variables: { a: 4 } },
	},
	{
		title: "variable: a version that is not there is a conflict",
		steps: [
			{ call: "setVariable", with: { key: "a", value: json("1") }, as: "version" },
			{ call: "deleteVariable", with: { key: "a", options: { ifVersion: result("version") } }, returns: true },
			{
				call: "setVariable",
				with: { key: "a", value: json("2"), options: { ifVersion: result("version") } },
				fails: { code: "conflict" },
			},
			{ call: "deleteVariable", with: { key: "a", options: { ifVersion: result("version") } }, fails: { code: "conflict" } },
		],
		leaves: { variables: {} },
	},
	{
		title: "variable: a version is not used again after a delete",
		steps: [
			{ call: "setVariable", with: { key: "a", value: json("1") }, as: "version" },
			{ call: "deleteVariable", with: { key: "a" }, returns: true },
			{ call: "setVariable", with: { key: "a", value: json("1") }, as: "again" },
			{
				call: "deleteVariable",
				with: { key: "a", options: { ifVersion: result("version") } },
				fails: { code: "conflict", currentVersion: result("again") },
			},
		],
		leaves: { variables: { a: 1 } },
	},
	{
		title: "variable: ifAbsent writes only where nothing is",
		steps: [
			{ call: "setVariable", with: { key: "a", value: json("1"), options: { ifAbsent: true } }, as: "version" },
			{
				call: "setVariable",
				with: { key: "a", value: json("2"), options: { ifAbsent: true } },
				fails: { code: "conflict", currentVersion: result("version") },
			},
			{ call: "deleteVariable", with: { key: "a" }, returns: true },
			{ call: "setVariable", with: { key: "a", value: json("3"), options: { ifAbsent: true } } },
		],
		leaves: { variables: { a: 3 } },
	},
	{
		title: "variable: both conditions at once are refused",
		given: { variables: { a: "1" } },
		steps: [
			{ call: "getVariableEntry", with: { key: "a" }, as: "entry" },
			{
				call: "setVariable",
				with: { key: "a", value: json("2"), options: { ifVersion: result("entry", "metadata.version"), ifAbsent: true } },
				fails: { code: "invalid" },
			},
		],
		leaves: { variables: { a: 1 } },
	},
	{
		title: "variable: what has expired is missing, and its place is free",
		steps: [
			{ call: "setVariable", with: { key: "a", value: json("1"), options: { expiresInMs: 1 } } },
			{ call: "setVariable", with: { key: "b", value: json("1"), options: { expiresInMs: 60_000 } } },
			{ waitMs: 20 },
			{ call: "getVariable", with: { key: "a" }, returns: null },
			{ call: "getVariableEntry", with: { key: "a" }, returns: null },
			{
				call: "getVariableEntry",
				with: { key: "b" },
				returns: { value: 1, metadata: { ...metadata, size: 1, expiresAt: timestamp } },
			},
			{ call: "listVariables", returns: { items: [{ key: "b", metadata: { ...metadata, size: 1, expiresAt: timestamp } }] } },
			{ call: "deleteVariable", with: { key: "a" }, returns: false },
			{ call: "incrementVariable", with: { key: "a", by: 5 }, returns: 5 },
		],
		leaves: { variables: { a: 5, b: 1 } },
	},
	{
		title: "variable: a write without an expiry clears it, an increment keeps it",
		steps: [
			{ call: "setVariable", with: { key: "a", value: json("1"), options: { expiresInMs: 60_000 } } },
			{ call: "incrementVariable", with: { key: "a" }, returns: 2 },
			{
				call: "getVariableEntry",
				with: { key: "a" },
				returns: { value: 2, metadata: { ...metadata, size: 1, expiresAt: timestamp } },
			},
			{ call: "setVariable", with: { key: "a", value: json("3") } },
			{ call: "getVariableEntry", with: { key: "a" }, returns: { value: 3, metadata: { ...metadata, size: 1 } } },
		],
	},
	{
		title: "variable: an expiry that is none is refused",
		steps: [0, -1, 1.5].map((expiresInMs) => ({
			call: "setVariable",
			with: { key: "a", value: json("1"), options: { expiresInMs } },
			fails: { code: "invalid" },
		})),
		leaves: { variables: {} },
	},
	{
		title: "list: nothing is an empty page",
		steps: [
			{ call: "listVariables", returns: { items: [] } },
			{ call: "listVariables", with: { options: { prefix: "a" } }, returns: { items: [] } },
		],
	},
	{
		title: "list: a prefix is taken to the letter",
		given: { variables: { "a%": "1", ab: "1", "a/b": "1", äb: "1", A: "1", a: "1" } },
		steps: [
			{ call: "listVariables", with: { options: { prefix: "a" } }, returns: page("a", "a%", "a/b", "ab") },
			{ call: "listVariables", with: { options: { prefix: "a%" } }, returns: page("a%") },
			{ call: "listVariables", with: { options: { prefix: "a/" } }, returns: page("a/b") },
			{ call: "listVariables", with: { options: { prefix: "ä" } }, returns: page("äb") },
			{ call: "listVariables", with: { options: { prefix: "*" } }, returns: page() },
		],
	},
	{
		title: "list: pages go on where the last one ended",
		given: { variables: { a: "1", b: "1", c: "1", d: "1", e: "1" } },
		steps: [
			{
				call: "listVariables",
				with: { options: { limit: 2 } },
				as: "first",
				returns: { ...page("a", "b"), cursor: expect.any(String) },
			},
			{ call: "deleteVariable", with: { key: "b" }, returns: true },
			{
				call: "listVariables",
				with: { options: { limit: 2, cursor: result("first", "cursor") } },
				as: "second",
				returns: { ...page("c", "d"), cursor: expect.any(String) },
			},
			{ call: "listVariables", with: { options: { limit: 2, cursor: result("second", "cursor") } }, returns: page("e") },
			{ call: "listVariables", with: { options: { limit: 1_000 } }, returns: page("a", "c", "d", "e") },
		],
	},
	{
		title: "list: a limit or a cursor that is none is refused",
		steps: [
			...[0, -1, 1.5].map((limit) => ({ call: "listVariables", with: { options: { limit } }, fails: { code: "invalid" } })),
			{ call: "listVariables", with: { options: { cursor: "not a cursor" } }, fails: { code: "invalid" } },
			{ call: "listVariables", with: { options: { limit: 1_001 } }, fails: { code: "invalid", limit: "maxPageSize" } },
		],
	},
];

function page(...keys: readonly string[]): object {
	return { items: keys.map((key) => ({ key, metadata: { ...metadata, size: 1 } })) };
}
