import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { type Attack, describeAttacks } from "./arena.ts";

const ownFile = fileURLToPath(new URL("../../host/index.ts", import.meta.url));

/** What a loader could be talked into, if it were one. */
const specifiers = [
	"node:fs",
	"fs",
	"node:process",
	"process",
	"node:child_process",
	"node:worker_threads",
	"std",
	"os",
	"bjson",
	"qjs:std",
	"qjs:os",
	"qjs:bjson",
	"../../etc/passwd",
	"/etc/passwd",
	"file:///etc/passwd",
	"/proc/self/environ",
	"data:text/javascript,export default 1",
	"data:application/json,1",
	"blob:null/1",
	"http://127.0.0.1:1/x.js",
	"https://example.com/x.js",
	"./worker.ts",
	"./attack.js",
	"attack.js",
	"./prelude.js",
	"undici",
	"lmdb",
	"cronium/../fs",
	"./cronium",
	"cronium/",
	"cronium?x",
	"cronium#x",
	"Cronium",
	"CRONIUM",
	" cronium",
	"%63ronium",
	"cronium:io",
	"",
	".",
	"..",
	"/",
	"\0",
	"__proto__",
	"constructor",
	"toString",
	"hasOwnProperty",
	"\ud800",
	"x".repeat(100_000),
];

const gives =
	(expected: unknown): Attack["check"] =>
	({ status, error, output }) => {
		expect({ status, error, output }).toEqual({ status: "succeeded", error: undefined, output: expected });
	};

const staticImport = (specifier: string): Attack => ({
	name: `a static import of ${JSON.stringify(specifier.slice(0, 40))} is refused by name`,
	script: `import * as stolen from ${JSON.stringify(specifier)}; export default () => Object.keys(stolen);`,
	check: ({ status, error, output }) => {
		expect({ status, output }).toEqual({ status: "failed", output: undefined });
		expect(error).toMatchObject({ code: "import-error", message: expect.stringContaining(specifier) });
	},
});

describeAttacks([
	{
		name: "no dynamic import loads anything but cronium",
		script: `const specifiers = ${JSON.stringify(specifiers)};
			export default async function () {
				const loaded = [], messages = [];
				for (const specifier of specifiers) try { await import(specifier); loaded.push(specifier); } catch (error) { messages.push((error instanceof Error) + " " + error.message.length); }
				return { loaded, refused: messages.length, foreign: messages.filter((message) => !message.startsWith("true")), long: messages.filter((message) => Number(message.slice(5)) > 1_000).length };
			}`,
		check: gives({ loaded: [], refused: specifiers.length, foreign: [], long: 0 }),
	},
	{
		name: "no import reaches a file of the host by its own path, and the refusal repeats no other path",
		script: `export default () => import(["", ...${JSON.stringify(ownFile.split("/").filter(Boolean))}].join("/")).then(() => "loaded", (error) => error.message.split("/").length);`,
		check: ({ status, output }) => {
			expect(status).toBe("succeeded");
			// The specifier itself may be quoted once; resolved forms (a directory put before it, file URLs) may not.
			expect(output).toBeLessThanOrEqual(ownFile.split("/").length);
		},
	},
	staticImport("node:fs"),
	staticImport("../../etc/passwd"),
	staticImport("./orders-helper.js"),
	staticImport("data:text/javascript,export default 1"),
	staticImport("https://example.com/x.js"),
	staticImport("lodash"),
	{
		name: "a name cut short by NUL leads to the module cronium at most",
		script: `import * as namespace from "cronium";
			export default async () => {
				const outcomes = [];
				for (const specifier of ["cronium\\0", "cronium\\0fs", "cronium\\0/../std"]) outcomes.push(await import(specifier).then((loaded) => loaded === namespace, () => "refused"));
				return outcomes.filter((outcome) => outcome !== true && outcome !== "refused");
			}`,
		check: gives([]),
	},
	{
		name: "a specifier whose toString changes is read once",
		script: `export default async function () {
				let reads = 0;
				const shifting = { toString() { return reads++ === 0 ? "cronium" : "node:fs"; } };
				const first = await import(shifting).then((namespace) => typeof namespace.setVariable, (error) => error.name);
				return { first, reads };
			}`,
		check: gives({ first: "function", reads: 1 }),
	},
	{
		name: "a specifier that throws, is a symbol or a proxy rejects the import and no more",
		script: `export default async function () {
				const outcomes = [];
				for (const specifier of [{ toString() { throw "thrown"; } }, Symbol("x"), new Proxy({}, { get() { throw "trapped"; } }), null, undefined, {}, [], () => {}])
					outcomes.push(await import(specifier).then(() => "loaded", (error) => (error instanceof Error ? "error" : error)));
				return outcomes;
			}`,
		check: gives(["thrown", "error", "trapped", "error", "error", "error", "error", "error"]),
	},
	{
		name: "import attributes open no other loader",
		script: `export default async function () {
				const outcomes = [];
				for (const type of ["json", "css", "bytes", "text", "wasm"]) outcomes.push(await import("/etc/passwd", { with: { type } }).then(() => "loaded", (error) => error instanceof Error));
				outcomes.push(await import("cronium", { with: new Proxy({}, { ownKeys() { throw "trapped"; } }) }).then(() => "loaded", (error) => (error instanceof Error ? "refused" : error)));
				return outcomes;
			}`,
		check: ({ status, output }) => {
			expect(status).toBe("succeeded");
			expect((output as unknown[]).slice(0, 5)).toEqual([true, true, true, true, true]);
		},
	},
	{
		name: "import.meta tells the script's name at most",
		script: `export default () => ({ keys: Reflect.ownKeys(import.meta).map(String).sort(), values: Object.values(import.meta).map(String) });`,
		check: ({ status, output }) => {
			expect(status).toBe("succeeded");
			const { keys, values } = output as { keys: string[]; values: string[] };
			expect(keys.filter((key) => !["main", "url"].includes(key))).toEqual([]);
			for (const value of values) expect(["attack.js", "true", "false", "undefined"]).toContain(value);
		},
	},
	{
		name: "the module cronium cannot be changed for later imports",
		script: `import * as namespace from "cronium";
			export default async function () {
				const outcomes = [];
				for (const attempt of [() => { namespace.setVariable = 1; }, () => Object.defineProperty(namespace, "x", { value: 1 }), () => { delete namespace.getInput; }, () => Object.setPrototypeOf(namespace, {})])
					try { attempt(); outcomes.push("changed"); } catch (error) { outcomes.push(error.name); }
				const again = await import("cronium");
				return { outcomes, same: again === namespace, kind: typeof again.setVariable };
			}`,
		check: gives({ outcomes: ["TypeError", "TypeError", "TypeError", "TypeError"], same: true, kind: "function" }),
	},
	{
		name: "an import that the module does not have is an error of the script, not of the host",
		script: `import { __host, settle } from "cronium"; export default () => typeof __host;`,
		check: ({ status, error }) => {
			expect(status).toBe("failed");
			expect(error).toMatchObject({ code: "import-error", message: 'Module "cronium" has no export "__host".' });
		},
	},
	{
		name: "eval and Function cannot import either",
		script: `export default async function () {
				const outcomes = [];
				for (const attempt of [() => (0, eval)('import("node:fs")'), () => Function('return import("node:fs")')(), () => eval('import("std")'), () => new (async () => {}).constructor('return await import("os")')()])
					outcomes.push(await Promise.resolve().then(attempt).then(() => "loaded", (error) => error instanceof Error));
				return outcomes;
			}`,
		check: gives([true, true, true, true]),
	},
	{
		name: "ten thousand failed imports leave the host in order",
		script: `export default async function () { let refused = 0; for (let i = 0; i < 10_000; i++) await import("missing-" + i).catch(() => { refused++; }); return refused; }`,
		check: gives(10_000),
	},
]);
