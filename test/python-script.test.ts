import { describe, expect, test } from "vitest";
import { RuntimeError } from "../host/contract/errors.ts";
import { defaultLimits, resolveLimits } from "../host/contract/limits.ts";
import { pythonScriptPath } from "../host/python-script.ts";
import { type RunOptions, requireMode, resolveSandboxOptions } from "../host/run-options.ts";

/** The end of an archive, and all of an empty one. */
const zip = new Uint8Array([0x50, 0x4b, 5, 6, ...new Uint8Array(18)]);
const python = { name: "app/orders.py", source: "print(1)" };
const resolve = (given: object) =>
	resolveSandboxOptions({ script: python, ...given } as RunOptions, resolveLimits({ maxFilesBytes: 4_096 }), "quickjs-wasi");
const refusal = (given: object): string => {
	try {
		resolve(given);
	} catch (error) {
		if (!(error instanceof RuntimeError)) throw error;
		return `${error.code}: ${error.message}`;
	}
	throw new Error("not refused");
};

describe("a script in Python", () => {
	test("runs in the sandbox when nothing is said, with its files as bytes and its arguments", () => {
		for (const script of [python, { name: "x", source: "#!/usr/bin/env python3" }, { name: "x", source: "", language: "python" }])
			expect(requireMode({ script } as RunOptions)).toBe("sandbox");
		expect(requireMode({ script: python, mode: "container" })).toBe("container");
		const files = { "lib/a.py": "ä", "lib/data": new Uint8Array([0, 255]), "x-1.0-py3-none-any.whl": zip };
		const { engine, arguments: given, ...plan } = resolve({ files, arguments: ["--since", ""] });
		expect({ engine, given }).toEqual({ engine: "python", given: ["--since", ""] });
		expect(plan.files.map(({ path, content }) => [path, [...content]])).toEqual([
			["lib/a.py", [0xc3, 0xa4]],
			["lib/data", [0, 255]],
			["x-1.0-py3-none-any.whl", [...zip]],
		]);
	});

	test.each([
		[{ engine: "quickjs-wasi" }, 'invalid: engine is for JavaScript and TypeScript; "app/orders.py" is python.'],
		[{ image: "x" }, "invalid: image is for runs in a container; this run is in mode sandbox."],
		[{ host: "web" }, "invalid: host is for runs in an SSH host; this run is in mode sandbox."],
		[{ files: { "orders.py": "" } }, 'invalid: The file "orders.py" would be in the place of the script, which is "orders.py".'],
		[{ files: { "../a.py": "" } }, /^invalid: The file "..\/a.py" has no legal path/],
		[{ files: { "/tmp/a.py": "" } }, /^invalid: The file "\/tmp\/a.py" has no legal path/],
		[{ files: { "a.py": 1 } }, 'invalid: The contents of the file "a.py" must be a text or bytes.'],
		[{ files: ["a"] }, /^invalid: .*files/],
		[{ files: { a: "x".repeat(4_096) } }, "too-large: The files and arguments have 4097 bytes; the limit maxFilesBytes is 4096."],
		[{ arguments: ["a\0"] }, "invalid: arguments[0] has a NUL character, which no argument can have."],
		[{ arguments: "x" }, "invalid: arguments must be an array of texts."],
		[{ files: { "a.whl": zip } }, /^invalid: The file "a.whl" has no name of a wheel; it must be .*-py3-none-any\.whl\.$/],
		[
			{ files: { "x-1-py3-none-any.whl": "text" } },
			'invalid: The wheel "x-1-py3-none-any.whl" is no ZIP archive, or only a part of one.',
		],
		[
			{ files: { "x-1-py3-none-any.whl": "PK\x03\x04, and no end" } },
			'invalid: The wheel "x-1-py3-none-any.whl" is no ZIP archive, or only a part of one.',
		],
		[
			{ files: { "x-1-py3-none-any.whl": "" } },
			'invalid: The wheel "x-1-py3-none-any.whl" is no ZIP archive, or only a part of one.',
		],
		[
			{ files: { "lib/numpy-2.0-cp314-cp314-manylinux_2_17_x86_64.whl": zip } },
			/^invalid: The wheel "numpy-2.0-.*" is for cp314-cp314-manylinux_2_17_x86_64: it has native code, .* container mode \(--in container\)/,
		],
		[{ files: { "X-1-1-py3-abi3-any.WHL": zip } }, /^invalid: The file "X-1-1-py3-abi3-any.WHL" has no name of a wheel/],
	])("%j is refused", (given, message) => {
		if (typeof message === "string") expect(refusal(given)).toBe(message);
		else expect(refusal(given)).toMatch(message);
	});

	test("JavaScript beside it takes neither files nor arguments, and Bash is not for the sandbox", () => {
		const javascript = { name: "a.js", source: "1" };
		const message = "is for runs in a container or on an SSH host; this run is in mode sandbox.";
		expect(refusal({ script: javascript, files: {} })).toBe(`invalid: files ${message}`);
		expect(refusal({ script: javascript, arguments: [] })).toBe(`invalid: arguments ${message}`);
		expect(refusal({ script: { name: "a.sh", source: "" } })).toMatch(
			/^unsupported: The sandbox runs javascript, typescript, python;/,
		);
		expect(resolveSandboxOptions({ script: javascript }, defaultLimits, "quickjs-wasi")).toMatchObject({
			engine: "quickjs-wasi",
			files: [],
			arguments: [],
		});
	});
});

test.each([
	["orders.py", "orders.py"],
	["app/orders.py", "app/orders.py"],
	[".github/x.py", ".github/x.py"],
	["orders", "orders.py"],
	["../../etc/orders.py", "orders.py"],
	["/etc/orders.py", "orders.py"],
	["a//b.py", "b.py"],
	["a/./b.py", "b.py"],
	["a/..", "a/script.py"],
	["..", "script.py"],
	["\ud800/b.py", "\ufffd/b.py"],
	["a/", "a/a.py"],
	[`${"ä".repeat(200)}/b.py`, "b.py"],
	[`${"x".repeat(252)}.py`, `${"x".repeat(252)}.py`],
	["🎈".repeat(100), `${"🎈".repeat(63)}.py`],
])("a script named %j is at a legal path: %j", (name, path) => {
	expect(pythonScriptPath(name)).toBe(path);
});
