import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { UsageError } from "../../host/cli/command.ts";
import { readWithFiles } from "../../host/cli/with-files.ts";
import { createDirectory, writeFiles } from "./cronium.ts";

let directory: string;
beforeEach(() => {
	directory = createDirectory();
});

const write = (files: Readonly<Record<string, string | Uint8Array>>): void => writeFiles(directory, files);

const read = (...names: string[]): readonly string[] => [...readWithFiles(names.map((name) => join(directory, name))).keys()];

test("what --with names is beside the script under its own name", () => {
	write({
		"a.py": "",
		"wheels/x-1-py3-none-any.whl": "",
		"lib/tools/__init__.py": "",
		"lib/tools/deep/inner.py": "",
		"lib/tools/__pycache__/inner.pyc": "x",
	});
	expect(read("a.py", "wheels/x-1-py3-none-any.whl", "lib/tools").toSorted()).toEqual([
		"a.py",
		"tools/__init__.py",
		"tools/deep/inner.py",
		"x-1-py3-none-any.whl",
	]);
});

test.each([
	[["missing.whl"], /^--with: ".*missing.whl" cannot be read \(ENOENT\)/],
	[["data.csv"], /^--with: ".*data.csv" is no wheel \(.whl\), module \(.py\) or directory of a package; --file/],
	[["a.py", "beside/a.py"], /^--with: there are two files "a.py"/],
	[["leaky"], /^--with: "leaky\/secret.py" leads out of/],
	[["large.py"], /^--with: the files have more than 67108864 bytes, with "large.py"; the limit maxFilesBytes can be no/],
])("--with %j is refused", (names, message) => {
	write({ "data.csv": "1", "a.py": "", "beside/a.py": "", "secret.py": "secret", "leaky/__init__.py": "" });
	symlinkSync("../secret.py", join(directory, "leaky/secret.py"));
	if (names.includes("large.py")) write({ "large.py": Buffer.alloc(64 * 1024 * 1024 + 1) });
	expect(() => read(...names)).toThrow(UsageError);
	expect(() => read(...names)).toThrow(message);
});
