import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { bundle } from "../../host/cli/bundle.ts";
import { isNestedTooDeeply } from "../../host/cli/bundler-process.ts";
import { findProjectRoot } from "../../host/cli/project-root.ts";
import { importsMore } from "../../host/cli/script-file.ts";
import { transform } from "../../host/cli/transform.ts";
import { findOrigins } from "../../host/sandbox/source-map.ts";
import { createDirectory } from "./cronium.ts";

const secret = "THE-SECRET";
let outside: string;
let project: string;

beforeEach(() => {
	const directory = realpathSync(createDirectory());
	outside = join(directory, "outside");
	project = join(directory, "project");
	write(outside, {
		"secret.json": `{"secret":"${secret}"}`,
		"secret.ts": `export default "${secret}"`,
		broken: `${secret} = = =`,
	});
	write(project, { "package.json": "{}" });
});

function write(directory: string, files: Readonly<Record<string, string>>): void {
	for (const [name, text] of Object.entries(files)) {
		mkdirSync(dirname(join(directory, name)), { recursive: true });
		writeFileSync(join(directory, name), text);
	}
}

/** Bundles `main.ts` in the project's directory `src`. */
function bundleMain(main: string, files: Readonly<Record<string, string>> = {}) {
	write(project, { "src/main.ts": main, ...files });
	return bundle(join(project, "src/main.ts"), project);
}

/** Runs a bundle that imports nothing. */
async function evaluate(source: string): Promise<unknown> {
	const module = (await import(`data:text/javascript,${encodeURIComponent(source)}`)) as { default: unknown };
	return module.default;
}

describe("bundling", () => {
	test("makes one module of local files, JSON, text and packages, and leaves cronium an import", async () => {
		const { source, warnings } = await bundleMain(
			`import { getInput } from "cronium"; import { a } from "./lib/a.js"; import b from "../data/b.json"; import c from "./c.txt"; import { d } from "pack"; import { e } from "@scope/pack"; export default [a, b, c, d, e, typeof getInput];`,
			{
				"src/lib/a.js": "export const a: number = 1".replace(": number", ""),
				"data/b.json": '{"b":2}',
				"src/c.txt": "three",
				"node_modules/pack/package.json": '{"name":"pack","exports":{"node":"./node.js","browser":"./browser.js"}}',
				"node_modules/pack/browser.js": "export const d = 4;",
				"node_modules/pack/node.js": 'import fs from "node:fs"; export const d = fs;',
				"node_modules/@scope/pack/package.json": '{"name":"@scope/pack","main":"main.cjs"}',
				"node_modules/@scope/pack/main.cjs": "exports.e = process.env.NODE_ENV;",
			},
		);
		expect(warnings).toEqual([]);
		expect(source.match(/^import .*$/gm)).toEqual(['import { getInput } from "cronium";']);
		expect(await evaluate(source.replace(/^import .*$/m, "const getInput = () => {};"))).toEqual([
			1,
			{ b: 2 },
			"three",
			4,
			"production",
			"function",
		]);
	});

	test("the source map names files relative to the project, holds no text of them, and leads to their lines", async () => {
		const { source, sourceMap } = await bundleMain('import { fail } from "./fail";\n\nexport default () => fail();\n', {
			"src/fail.ts": 'type Text = string;\n\nexport function fail(): Text {\n\tthrow new Error("here");\n}\n',
		});
		expect(JSON.parse(sourceMap).sources.toSorted()).toEqual(["src/fail.ts", "src/main.ts"]);
		expect(JSON.parse(sourceMap)).not.toHaveProperty("sourcesContent");
		const lines = source.split("\n");
		const line = lines.findIndex((text) => text.includes("throw"));
		const position = { line, column: lines[line]?.indexOf("throw") ?? 0 };
		expect(findOrigins(sourceMap, [position])).toEqual([{ source: "src/fail.ts", line: 3, column: 1 }]);
	});

	test("the reader of source maps agrees with Node's on every position of a bundle", async () => {
		const { source, sourceMap } = await bundleMain(
			'import { a } from "./a"; import { b } from "./b"; export default async (x: number) => [a(x), await b`text`];',
			{
				"src/a.ts":
					"export enum A { x = 1, y }\n\n/* é 😀 */ export const a = (n: number) => n === A.x ? 'é' : class { #p = 1; static { a(2) } };",
				"src/b.ts":
					"export async function b(t: TemplateStringsArray, ...r: unknown[]) {\n\tfor await (const x of []) ;\n\treturn r;\n}",
			},
		);
		const node = new SourceMap(JSON.parse(sourceMap));
		const positions = source.split("\n").flatMap((text, line) => Array.from(text, (_, column) => ({ line, column })));
		const origins = findOrigins(sourceMap, positions);
		let mapped = 0;
		for (const [index, { line, column }] of positions.entries()) {
			const entry = node.findEntry(line, column);
			// Node goes on with the line before where a line has no segment of its own yet.
			if (!("originalSource" in entry) || entry.generatedLine !== line) continue;
			mapped += 1;
			expect(origins[index]).toEqual({ source: entry.originalSource, line: entry.originalLine, column: entry.originalColumn });
		}
		expect(mapped).toBeGreaterThan(200);
	});

	test("a package that says how to do without Node.js gets what it asks for", async () => {
		const { source } = await bundleMain('import pack from "pack"; export default pack;', {
			"node_modules/pack/package.json": '{"main":"./main.js","browser":{"fs":false,"./node.js":false,"./os.js":"./no-os.js"}}',
			"node_modules/pack/main.js": 'module.exports = [require("fs"), require("./node.js"), require("./os.js")];',
			"node_modules/pack/node.js": 'require("node:child_process");',
			"node_modules/pack/os.js": 'module.exports = require("os");',
			"node_modules/pack/no-os.js": 'module.exports = "none";',
		});
		expect(await evaluate(source)).toEqual([{}, {}, "none"]);
	});

	test("a package may stand in for a module of Node's by its bare name", async () => {
		const { source } = await bundleMain('import { once } from "events"; export default once;', {
			"node_modules/events/package.json": '{"main":"main.js"}',
			"node_modules/events/main.js": "exports.once = 1;",
		});
		expect(await evaluate(source)).toBe(1);
	});

	test.each(["node:fs", "fs", "fs/promises", "node:events", "worker_threads", "bun:ffi"])(
		"refuses %s, with the file, the place and container mode",
		async (name) => {
			await expect(bundleMain(`const a = 1;\nimport x from "${name}"; export default x;`)).rejects.toMatchObject({
				code: "import-error",
				message: `src/main.ts:2:15: "${name}" is part of Node.js, which the sandbox is not. Use the helpers of "cronium", or run the script in container mode.`,
			});
		},
	);

	test("names the file of a package that needs Node.js", async () => {
		const files = {
			"node_modules/pack/package.json": '{"main":"m.js"}',
			"node_modules/pack/m.js": 'const net = require("net");',
		};
		await expect(bundleMain('import "pack";', files)).rejects.toThrow(
			/^node_modules\/pack\/m\.js:1:21: "net" is part of Node\.js/,
		);
	});

	test.each([
		["a package that is not installed", 'import "no-such-package";', /there is no package "no-such-package" in the project/],
		["a file that is not there", 'import "./no-such-file";', /^src\/main\.ts:1:8: there is no file "\.\/no-such-file"\./],
		["a URL", 'import "https://example.com/a.js";', /is a URL/],
		["a data URL", 'import "data:text/javascript,1";', /is a URL/],
		[
			"an import whose name is computed",
			"const name = './a'; await import(name);",
			/import\(\) of a name that is only known when/,
		],
		["a require whose name is computed", "const name = './a'; require(name);", /require\(\) of a name that is only known when/],
		["an unknown kind of file", 'import "./style.css";', /src\/style\.css is not JavaScript, TypeScript, JSON or text/],
		["a native addon", 'import "./addon.node";', /native addon.*container mode/],
		["a directory", 'import "./empty";', /there is no file/],
	])("refuses %s", async (_, main, message) => {
		const bundling = bundleMain(main, { "src/style.css": "a {}", "src/addon.node": "\u007fELF", "src/empty/x.md": "" });
		await expect(bundling).rejects.toMatchObject({ code: "import-error", message: expect.stringMatching(message) });
	});

	test("says where a file does not parse", async () => {
		await expect(bundleMain('import "./broken";', { "src/broken.ts": "const é = [\n  1\n  2]" })).rejects.toMatchObject({
			code: "syntax-error",
			message: 'src/broken.ts:3:3: Expected "]" but found "2".',
		});
	});
});

describe("bundling lets nothing of other directories in", () => {
	const refused = { code: "import-error", message: expect.not.stringContaining(secret) };

	test.each(["../../outside/secret.json", "../../outside/secret", "../../outside/broken", "../../../../../../etc/hostname"])(
		"by a relative path (%s)",
		async (path) => {
			await expect(bundleMain(`import x from "${path}"; export default x;`)).rejects.toMatchObject(refused);
		},
	);

	test("by an absolute path", async () => {
		const bundling = bundleMain(`import x from "${outside}/secret.json"; export default x;`);
		await expect(bundling).rejects.toMatchObject({ ...refused, message: expect.stringContaining("is an absolute path") });
	});

	test.each(["file", "directory", "package"])("by a symbolic link to a %s", async (kind) => {
		write(outside, { "pack/index.js": `module.exports = "${secret}"` });
		mkdirSync(join(project, "node_modules"), { recursive: true });
		mkdirSync(join(project, "src"), { recursive: true });
		symlinkSync(join(outside, "secret.json"), join(project, "src/link.json"));
		symlinkSync(outside, join(project, "src/links"));
		symlinkSync(join(outside, "pack"), join(project, "node_modules/pack"));
		const path = { file: "./link.json", directory: "./links/secret.ts", package: "pack" }[kind];
		const bundling = bundleMain(`import x from "${path}"; export default x;`);
		await expect(bundling).rejects.toMatchObject({ ...refused, message: expect.stringContaining("leads out of the project") });
	});

	test("by packages of the directories above it", async () => {
		write(dirname(project), { "node_modules/above/index.js": `module.exports = "${secret}"` });
		await expect(bundleMain('import x from "above"; export default x;')).rejects.toMatchObject(refused);
	});

	test.each([
		["a package's main file", { "package.json": '{"main":"../../../outside/secret.ts"}' }],
		["a package's exports", { "package.json": '{"exports":"./../../../outside/secret.ts"}' }],
		[
			"a package's browser field",
			{ "package.json": '{"browser":{"./a.js":"../../../outside/secret.ts"},"main":"./a.js"}', "a.js": "" },
		],
	])("by %s", async (_, files) => {
		write(join(project, "node_modules/pack"), files);
		await expect(bundleMain('import x from "pack"; export default x;')).rejects.toMatchObject(refused);
	});

	test.each(["../../outside/map.json", "/etc/passwd", "data:application/json,{", "file:///etc/passwd"])(
		"by a sourceMappingURL (%s)",
		async (url) => {
			const map = { version: 3, sources: [`${secret}.ts`], sourcesContent: [secret], names: [], mappings: "AAAA" };
			write(outside, { "map.json": JSON.stringify(map) });
			const { sourceMap } = await bundleMain(`import "./a.js";\nexport default 1;\n//# sourceMappingURL=${url}`, {
				"src/a.js": `globalThis.a = "//# sourceMappingURL=text";\n/*# sourceMappingURL=${url} */`,
			});
			expect(sourceMap).not.toContain(secret);
			expect(JSON.parse(sourceMap).sources).toEqual(["src/a.js", "src/main.ts"]);
		},
	);

	test("by a tsconfig.json, its own or one above", async () => {
		const config = JSON.stringify({ extends: "../outside/broken", compilerOptions: { paths: { "*": ["../outside/*"] } } });
		write(project, { "tsconfig.json": config, "src/tsconfig.json": config });
		await expect(bundleMain('import x from "secret"; export default x;')).rejects.toMatchObject(refused);
	});

	test("in messages about files it may not read", async () => {
		write(dirname(project), { "package.json": `{ "${secret}": = }` });
		await expect(bundleMain('import "secret";')).rejects.toMatchObject(refused);
	});
});

describe("a package.json above the project", () => {
	const broken = { "package.json": `{ "${secret}": = }` };

	test("has no say when it is not valid", async () => {
		write(dirname(project), broken);
		const { source } = await bundleMain('import b from "./b"; import p from "pack"; export default [b, p];', {
			"src/b.ts": "export default 1;",
			"node_modules/pack/package.json": '{"main":"./main.js","browser":{"fs":false,"./node.js":false}}',
			"node_modules/pack/main.js": 'module.exports = [require("fs"), require("./node.js")];',
			"node_modules/pack/node.js": 'require("node:child_process");',
		});
		expect(await evaluate(source)).toEqual([1, [{}, {}]]);
		await expect(bundleMain('import "./no-such-file";')).rejects.toThrow('there is no file "./no-such-file".');
		await expect(bundleMain('import "nothing";')).rejects.toThrow('there is no package "nothing" in the project');
	});

	test("has no say when it is valid and the project has none", async () => {
		write(dirname(project), {
			"package.json": '{"sideEffects":false,"imports":{"#a":"./project/bare/a.js"}}',
		});
		rmSync(join(project, "package.json"));
		write(project, { "bare/a.js": "globalThis.a = 1;", "bare/main.js": 'import "./a.js";', "bare/hash.js": 'import "#a";' });
		expect((await bundle(join(project, "bare/main.js"), project)).source).toContain("globalThis.a = 1");
		await expect(bundle(join(project, "bare/hash.js"), project)).rejects.toThrow('"#a" is a name of the package\'s own');
	});

	test("one inside that is not valid is named", async () => {
		const files = { "node_modules/pack/package.json": `{ "${secret}": = }`, "node_modules/pack/index.js": "" };
		await expect(bundleMain('import "pack";', files)).rejects.toMatchObject({
			code: "import-error",
			message: "src/main.ts:1:8: node_modules/pack/package.json:1:17: this package.json is not valid.",
		});
	});
});

describe("the bundler's process", () => {
	test("gets no environment of ours", async () => {
		write(project, { "elsewhere/found/index.js": "export default 1;" });
		process.env.NODE_PATH = join(project, "elsewhere");
		const ours = process.env;
		const seen: unknown[] = [];
		const onSpawn = (): void => void seen.push(Object.keys(process.env).toSorted());
		subscribe("child_process", onSpawn);
		try {
			await bundleMain("export default 1;");
			expect(seen).toEqual([["GOMEMLIMIT", "GOTRACEBACK"]]);
			expect(process.env).toBe(ours);
			expect(process.env.NODE_PATH).toBeDefined();
		} finally {
			unsubscribe("child_process", onSpawn);
			delete process.env.NODE_PATH;
		}
	});

	test("is not given what is nested deeper than anyone writes", async () => {
		await expect(bundleMain("[".repeat(2_000_000))).rejects.toMatchObject({
			code: "import-error",
			message: "src/main.ts is nested too deeply; the limit is 1500 brackets.",
		});
		expect(await transform("a.ts", "[".repeat(2000) + "]".repeat(2000))).toBeUndefined();
	});

	test.skipIf(process.platform !== "linux")("is ended when it takes too much memory", async () => {
		await expect(bundleMain("!".repeat(4_000_000))).rejects.toMatchObject({
			code: "import-error",
			message: "Bundling takes more than 512 MiB of memory; import less, or smaller files.",
		});
		expect(await transform("a.ts", "!".repeat(4_000_000))).toBeUndefined();
		// The next one is not touched by that.
		expect(await evaluate((await bundleMain("export default 1;")).source)).toBe(1);
	});

	test.each([
		["closed brackets", "[{(".repeat(500) + ")}]".repeat(500), false],
		["one more", "[{(".repeat(501), true],
		["many side by side", "[]".repeat(5000), false],
		["in strings", `a = "${"[".repeat(5000)}" + '${"\\'(".repeat(5000)}';`, false],
		["in comments", `//${"[".repeat(5000)}\n/*${"[\n".repeat(5000)}*/`, false],
		["escaped in regular expressions", "/\\(/;".repeat(5000), false],
		["behind comments and strings", `/* ' */ // "\n'/*'${"[".repeat(1501)}`, true],
		["in a comment without end", `/*${"[".repeat(5000)}`, false],
	])("counts brackets that are open: %s", (_, source, expected) => expect(isNestedTooDeeply(source)).toBe(expected));
});

describe("what needs the bundler", () => {
	test.each([
		['import { getInput } from "cronium";\nexport default () => getInput();', false],
		["import cronium, { log as l, } from 'cronium'; cronium.log; l;", false],
		['import type { EventContext } from "cronium";', false],
		["export default 1;", false],
		['import a from "./a"; import { b } from "cronium";', true],
		['import { b } from "cronium"; import"./a"', true],
		['export * from"./a"', true],
		['export { a } from /* here */ "./a"', true],
		['await import("./a")', true],
		['const a = require("./a")', true],
		["module.exports = 1", true],
		["exports.a = 1", true],
	])("%j: %s", (source, expected) => expect(importsMore(source)).toBe(expected));

	test("looking for imports takes time by the length of the source only", () => {
		expect(importsMore("\n".repeat(1_000_000) + "import ".repeat(100_000))).toBe(true);
		expect(importsMore(`${" ".repeat(1_000_000)}${"import\n".repeat(100_000)}`)).toBe(true);
	});
});

describe("one TypeScript file", () => {
	test("becomes JavaScript with a map to its lines, enums included", async () => {
		const result = await transform("src/a.ts", "enum A { x = 7 }\nconst a: number = A.x;\nexport default a;");
		expect(await evaluate(result?.source ?? "")).toBe(7);
		expect(JSON.parse(result?.sourceMap ?? "").sources).toEqual(["src/a.ts"]);
		expect(result?.source).not.toContain("sourceMappingURL");
	});

	test.each([["a syntax error", "const a: = 1"]])("is left to the host when it has %s", async (_, source) => {
		expect(await transform("a.ts", source)).toBeUndefined();
	});
});

test("a project begins at the nearest package.json or .git, else at the script", () => {
	write(project, { "a/.git": "", "a/b/c.ts": "", "d/e.ts": "" });
	expect(findProjectRoot(join(project, "a/b/c.ts"))).toBe(join(project, "a"));
	expect(findProjectRoot(join(project, "d/e.ts"))).toBe(project);
	expect(findProjectRoot(join(outside, "secret.ts"))).toBe(outside);
});

describe("bundles for containers", () => {
	const bundleForContainer = (main: string, files: Readonly<Record<string, string>> = {}) => {
		write(project, { "src/main.ts": main, ...files });
		return bundle(join(project, "src/main.ts"), project, "container");
	};

	test("modules of Node.js, the SDK and packages that only an image has stay imports; those of the project are bundled", async () => {
		const { source, warnings } = await bundleForContainer(
			`import { readFileSync } from "fs";
import "node:os";
import { getInput } from "cronium";
import sync from "cronium/sync";
import { z } from "only-in-the-image/deep";
import common from "common";
console.log(readFileSync, getInput, sync, z, common);`,
			{
				"node_modules/common/package.json": '{"name":"common","browser":{"./index.js":"./browser.js"}}',
				"node_modules/common/index.js": 'module.exports = [require("path").sep, "for Node.js"];',
				"node_modules/common/browser.js": 'module.exports = "for browsers";',
			},
		);
		const imported = [...source.matchAll(/^import .*?"([^"]+)";/gm)].map(([, name]) => name);
		expect(imported.sort()).toEqual(["cronium", "cronium/sync", "fs", "node:module", "node:os", "only-in-the-image/deep"]);
		expect(source).toContain("for Node.js");
		expect(source).not.toContain("for browsers");
		expect(warnings).toEqual([]);
	});

	test.each([
		[
			"a native addon",
			'import "./addon.node";',
			"is a native addon, which cannot be bundled; build an image that has its package",
		],
		["a file that is not there", 'import "./none.ts";', 'there is no file "./none.ts"'],
		["a file outside of the project", 'import "../../outside/secret.ts";', "leads out of the project"],
		["an absolute path", 'import "/etc/passwd";', "is an absolute path"],
		["a URL", 'import "https://example.com/a.js";', "is a URL"],
		[
			"another runtime",
			'import "bun:sqlite";',
			'"bun:sqlite" is part of another runtime than Node.js, which runs scripts in containers',
		],
	])("%s is refused", async (_, main, message) => {
		await expect(bundleForContainer(main, { "src/addon.node": "" })).rejects.toMatchObject({
			code: "import-error",
			message: expect.stringContaining(message),
		});
	});
});
