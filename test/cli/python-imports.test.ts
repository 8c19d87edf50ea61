import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { findPythonImports } from "../../host/cli/python-imports.ts";
import { findLocalModules } from "../../host/cli/python-modules.ts";
import { readScriptFile } from "../../host/cli/script-file.ts";
import { createDirectory } from "./cronium.ts";

const absolute = (module: string, ...names: string[]) => ({ level: 0, module: module.split("."), names });

describe("the imports of a source in Python", () => {
	test.each([
		["import a", [absolute("a")]],
		["import a.b.c as d, e ,f as g # h", [absolute("a.b.c"), absolute("e"), absolute("f")]],
		["import a . b", [absolute("a.b")]],
		["from a.b import c as d, e", [absolute("a.b", "c", "e")]],
		["from a import (  # why\n\tb,\n\tc as d, # and\n)\nimport e", [absolute("a", "b", "c"), absolute("e")]],
		["from a \\\r\n  import b, \\\n c", [absolute("a", "b", "c")]],
		["from a import *", [absolute("a", "*")]],
		["from . import a, b", [{ level: 1, module: [], names: ["a", "b"] }]],
		["from .a import b", [{ level: 1, module: ["a"], names: ["b"] }]],
		["from ...a.b import c", [{ level: 3, module: ["a", "b"], names: ["c"] }]],
		["from.a import b", [{ level: 1, module: ["a"], names: ["b"] }]],
		["try: import a\nexcept ImportError: import b; import c", [absolute("a"), absolute("b"), absolute("c")]],
		["if x:\n\tfrom a import b\r\n", [absolute("a", "b")]],
		["import größe", [absolute("größe")]],
		["important = 1; from_ = 2; x = imports", []],
		["from a", []],
		["import", []],
		["from a import (b", [absolute("a", "b")]],
		["yield from a", []],
	])("%j", (source, imports) => {
		expect(findPythonImports(source)).toEqual(imports);
	});

	test.each([
		`from ${" ".repeat(1_000_000)}`,
		"from a import (".repeat(100_000),
		"import a,".repeat(100_000),
		"\\\n".repeat(500_000),
	])("a source that is made to take long is read at once", (source) => {
		expect(findPythonImports(source).length).toBeLessThan(200_000);
	});
});

/** Writes the files and returns the modules that `app/main.py` has found. */
function modulesOf(files: Readonly<Record<string, string>>, links: Readonly<Record<string, string>> = {}): string[] {
	const project = createDirectory();
	for (const [name, text] of Object.entries({ "project/package.json": "{}", ...files })) {
		mkdirSync(dirname(join(project, name)), { recursive: true });
		writeFileSync(join(project, name), text);
	}
	for (const [name, target] of Object.entries(links)) symlinkSync(target, join(project, name));
	return [...findLocalModules(readScriptFile(join(project, "project/app/main.py"))).keys()].sort();
}

describe("the modules beside a script in Python", () => {
	test("are found where Python finds them, and those that they import; what is not imported stays", () => {
		const found = modulesOf({
			"project/app/main.py": "import json, rates, main\nfrom lib.deep import tool\nimport pkg.inner\nimport missing, data",
			"project/app/rates.py": "from helper import x",
			"project/app/helper.py": "import rates",
			"project/app/unused.py": "",
			"project/app/lib/deep/tool.py": "from . import beside\nfrom ..other import y\nfrom ....secret import z",
			"project/app/lib/deep/beside.py": "",
			"project/app/lib/deep/unused.py": "",
			"project/app/lib/other.py": "",
			"project/app/data/large.csv": "1",
			"project/app/pkg/__init__.py": "",
			"project/app/pkg/inner.py": "import late",
			"project/app/pkg/table.csv": "1",
			"project/app/pkg/__pycache__/inner.pyc": "1",
			"project/app/pkg/.hidden": "1",
			"project/app/late.py": "",
			"project/above.py": "",
			"project/secret.py": "",
		});
		expect(found).toEqual([
			...["helper.py", "late.py", "lib/deep/beside.py", "lib/deep/tool.py", "lib/other.py"],
			...["pkg/__init__.py", "pkg/inner.py", "pkg/table.csv", "rates.py"],
		]);
	});

	test("a package goes before a module of its name, as for Python", () => {
		const files = { "project/app/main.py": "import both", "project/app/both.py": "", "project/app/both/__init__.py": "" };
		expect(modulesOf(files)).toEqual(["both/__init__.py"]);
	});

	test("may be links inside of the project", () => {
		const files = { "project/app/main.py": "import shared", "project/lib/shared.py": "" };
		expect(modulesOf(files, { "project/app/shared.py": "../lib/shared.py" })).toEqual(["shared.py"]);
	});

	test.each([
		["a link to a module", "import leak", { "project/app/leak.py": "../../outside.py" }, /"leak.py" leads out of/],
		["a link to a package", "import leak", { "project/app/leak": "../../package" }, /"leak\/__init__.py" leads out of/],
		["a link in a package", "import own", { "project/app/own/leak.py": "../../../outside.py" }, /"own\/leak.py" leads out of/],
		["a directory that is in itself", "import own", { "project/app/own/own": "." }, /"own\/own" is a link to a directory/],
		["a link to a device", "import own", { "project/app/own/zero.py": "/dev/zero" }, /"own\/zero.py" leads out of/],
	])("%s is refused", (_, source, links, message) => {
		const files = {
			"project/app/main.py": source,
			"project/app/own/__init__.py": "",
			"outside.py": "secret",
			"package/__init__.py": "secret",
		};
		expect(() => modulesOf(files, links)).toThrow(message);
	});

	test("too many files are refused before they are read", () => {
		const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, index) => [`project/app/pkg/m${index}.py`, ""]));
		const files = { "project/app/main.py": "import pkg", "project/app/pkg/__init__.py": "", ...many };
		expect(() => modulesOf(files)).toThrow(/^The modules of app\/main.py: there are more than 1000 files/);
	});
});
