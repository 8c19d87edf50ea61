import { describe, expect, test } from "vitest";
import { findLanguage, scriptExtensions } from "../host/script-language.ts";

describe("the language of a script", () => {
	test.each([
		["a.js", "javascript"],
		["a.mjs", "javascript"],
		["a.cjs", "javascript"],
		["a.ts", "typescript"],
		["a.mts", "typescript"],
		["a.cts", "typescript"],
		["a.py", "python"],
		["a.sh", "bash"],
		["a.bash", "bash"],
		["A.PY", "python"],
		["dir.py/a", "javascript"],
		["a", "javascript"],
		["a.rb", undefined],
		["a.py.txt", undefined],
		["a.constructor", undefined],
		["a.__proto__", undefined],
	])("%s without a first line #! is %s", (name, language) => {
		expect(findLanguage(name, "print(1)\n#!/bin/bash\n")).toBe(language);
	});

	test.each([
		["#!/bin/bash", "bash"],
		["#!/bin/bash -eu", "bash"],
		["#! /bin/sh", "bash"],
		["#!/bin/dash", "bash"],
		["#!/usr/bin/env bash", "bash"],
		["#!/usr/bin/env\tpython3", "python"],
		["#!/usr/bin/env -S python3 -u", "python"],
		["#!/usr/bin/env -S node --no-warnings", "javascript"],
		["#!/usr/local/bin/python3.11", "python"],
		["#!/usr/bin/env python2", "python"],
		["#!/usr/bin/node", "javascript"],
		["#!/usr/bin/nodejs", "javascript"],
		["\ufeff#!/usr/bin/env python3", "python"],
		["#!/usr/bin/env python3\r", "python"],
	])("%j is %s, whatever the extension says", (line, language) => {
		for (const name of ["a", "a.rb", "a.sh", "a.py"])
			if (language !== "javascript" || !/sh|py/.test(name)) expect(findLanguage(name, `${line}\nrest`)).toBe(language);
	});

	test.each([
		"#!/usr/bin/perl",
		"#!/usr/bin/env ruby",
		"#!/usr/bin/env -S ruby -w",
		"#!/usr/bin/env",
		"#!/bin/bashful",
		"#!/usr/bin/env constructor",
		"#!/usr/bin/__proto__",
		"#!/bin/toString",
		"#!bash3x",
	])("%j is an interpreter that is not known, also with an extension that is", (line) => {
		for (const name of ["a", "a.py", "a.sh", "a.js"]) expect(findLanguage(name, `${line}\n`)).toBeUndefined();
	});

	test("Node's first line leaves TypeScript what its extension says", () => {
		expect(findLanguage("a.ts", "#!/usr/bin/env node\n")).toBe("typescript");
		expect(findLanguage("a.mjs", "#!/usr/bin/env node\n")).toBe("javascript");
	});

	test("a first line without a program is none", () => {
		expect(findLanguage("a.py", "#!\n")).toBe("python");
		expect(findLanguage("a.py", "#! \nbash")).toBe("python");
		expect(findLanguage("a", "# !/bin/bash\n")).toBe("javascript");
	});

	test("every extension has a language", () => {
		for (const extension of scriptExtensions) expect(findLanguage(`a${extension}`, "")).toMatch(/script|python|bash/);
	});
});
