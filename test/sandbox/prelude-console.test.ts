import { Console } from "node:console";
import { Writable } from "node:stream";
import { runInThisContext } from "node:vm";
import { expect, test } from "vitest";
import { describeGuests } from "./guest.ts";

/** Arguments of console.log: each line is evaluated here and in the sandbox, and has to be printed alike. */
const values = String.raw`
1, -0, 0.1, NaN, Infinity, 1e21, 10n, -5n
"text", 'it\'s', true, null, undefined, Symbol("s"), Symbol(), Symbol.iterator
["it's", 'say "hi"', "both ' and \"", "all ' \" ${"`"}", "line\nbreak\ttab\\\x00\x7f\x1b\ud800"]
{}, [], [[]], [{}], {a:{}}, new Map(), new Set(), new (class A {})
{ a: 1, b: "x", "c-d": 2, 3: 4, [Symbol("k")]: 5, "": 6, "é": 7, _x: 8, $y: 9 }
{ a: { b: { c: { d: 1 } } } }
[[[[1]]]], [[[[]]]], [[[{}]]]
{ a: [{ b: { c: {} } }], d: new Map([[{ x: { y: { z: 1 } } }, 1]]) }
Array.from({ length: 7 }, (_, i) => i)
Array.from({ length: 30 }, (_, i) => i * i)
Array.from({ length: 101 }, (_, i) => i)
Array.from({ length: 120 }, (_, i) => "item " + i)
Array.from({ length: 12 }, (_, i) => "x".repeat(i))
["apple", "banana", "cherry", "date", "elderberry", "fig", "grape", "honeydew"]
["日本語", "a", "b", "c", "d", "e", "f"]
[1.5, 22.25, 333.125, 4, 5, 6, 7, 8]
[1, "a", 2, "b", 3, "c", 4, "d"]
[, 1, , , 2, ,], new Array(5), Object.assign([1, 2], { x: 3, "-1": 4 }), [undefined, null]
Object.assign(new Array(3), { 1: "b" }), Object.assign([], { 100: 1 })
{ name: "a name of some length", description: "another text that is long enough", count: 12345 }
{ one: "aaaaaaaaaaaaaaaaaaaa", two: "bbbbbbbbbbbbbbbbbbbb", three: "cccccccccccc", four: 4 }
{ list: ["aaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbb", "cccccccccccccccccccccccc", "ddd"] }
{ text: "word ".repeat(30), lines: "first line\nsecond line\nthird line which is rather long to need a break\n" }
["x".repeat(200), "y\n".repeat(20)]
"x".repeat(20000).length, ["z".repeat(10010)]
new Map([["a", 1], [{ k: 1 }, [1, 2]]]), new Set([1, "a", { b: 2 }, new Set([3])])
new Map(Array.from({ length: 120 }, (_, i) => [i, i])), new Set(Array.from({ length: 120 }, (_, i) => "v" + i))
Object.assign(new Map([[1, 2]]), { extra: true }), Object.assign(new Set([1]), { extra: true })
new Date(0), new Date(NaN), Object.assign(new Date(0), { x: 1 }), /a+b/gi, Object.assign(/x/, { y: 1 })
new Uint8Array(3), new Float64Array([1.5, -0, NaN]), new BigInt64Array(2), new Uint8Array(200), new Uint8Array(0)
new ArrayBuffer(4), new DataView(new ArrayBuffer(2), 1), new ArrayBuffer(0), new Uint8Array([1, 255]).buffer, new ArrayBuffer(60)
function named() {}, () => {}, async () => {}, function* gen() {}, async function* agen() {}, Math.max
class A {}, class B extends Array {}, class extends Map {}, class C { static x = 1 }, class { m() {} }
Object.assign(function f() {}, { a: 1 }), Object.assign(() => {}, { b: { c: 1 } })
new (class Point { constructor() { this.x = 1; this.y = 2 } }), new (class extends Array {})(3), new (class Stack extends Map {})([[1, 2]])
Object.create(null), Object.assign(Object.create(null), { a: 1 }), Object.create({}), Object.create({ inherited: 1 })
Object.create(class Base {}.prototype), Object.create(Object.create(null))
{ get a() { return 1 }, set a(v) {}, get b() { return 1 }, set c(v) {} }
{ f() {}, g: () => {}, async h() {}, *i() {}, j: class {}, k: class K extends Object {} }
new Number(1), new String("abc"), new Boolean(false), Object(Symbol("s")), Object(1n), Object.assign(new String("x"), { y: 1 }), new Number(-0)
(() => { const a = { name: "a" }; a.self = a; a.list = [a, { a }]; return a })()
(() => { const a = {}, b = { a }; a.b = b; return [a, b] })()
(() => { const m = new Map(); m.set("m", m); return m })(), (() => { const s = new Set(); s.add(s); return s })()
(function () { return arguments })(1, "a", {}), (function () { return arguments })()
{ __proto__: { x: 1 } }, JSON.parse('{"__proto__":1}'), { constructor: 1 }, { toString: 1 }
{ [Symbol.toStringTag]: "Tag" }, new (class T { get [Symbol.toStringTag]() { return "Tagged" } }), new (class T { get [Symbol.toStringTag]() { return "T" } })
Object.defineProperty({}, "hidden", { value: 1 }), Object.freeze({ a: 1 }), Math, JSON, Reflect, globalThis.Math.PI
new WeakMap(), new WeakSet(), [new WeakMap()]
{ a: undefined, b: null, c: NaN, d: [undefined, null] }
[["a", 1], ["b", 2]], [[1, 2, [3, 4, [5, [6]]]], { a: 1 }]
{ a: 1, b: { c: [1, 2, 3], d: { e: { f: {} } } }, g: [[1, [2, [3, [4]]]]] }
{ users: [{ id: 1, name: "Ada", roles: ["admin", "dev"] }, { id: 2, name: "Grace", roles: ["dev"] }], total: 2 }
{ [Symbol.for("nodejs.util.inspect.custom")]() { return "custom!" } }, { [Symbol.for("nodejs.util.inspect.custom")]: (d, o, i) => ({ depth: d, in: typeof i }) }
{ a: { [Symbol.for("nodejs.util.inspect.custom")]() { return "two\nlines" } } }
"%s is %d years and %i months, %f", "Bob", "42", 42.9, "1.50", "rest", { a: 1 }
"%j %o %O %c%%|%x|%", { a: [1] }, [1], { b: { c: { d: {} } } }, "css", 5
"%s %s %s %s %s %s", "a", 5n, Symbol("x"), { a: { b: 1 } }, null, undefined
"%s %s %s %s", class X {}, function f() {}, new (class Y { toString() { return "Y!" } }), [1, [2, [3]]]
"%s %s %s %s", new Date(0), { toString() { return "own" } }, Object.create(null), -0
"%d %d %d %d %d", "x", 5n, Symbol("y"), {}, -0
"%i %i %f %f", "12.9px", 3n, "2.5px", Symbol("z")
"%%s %s", "x"
"100%", 5
"%s"
"%", 1
"a%sb%sc", 1
5, "%s", 6
"no format", "%s", 1
"%j", (() => { const a = {}; a.a = a; return a })()
new URLSearchParams("a=1&b=2"), new Headers({ b: "2", a: "1" }), new URLSearchParams()
{ a: new Map([["k", new Map([["l", new Map([["m", new Map()]])]])]]) }
{ "a b": 1, "a.b": 2, "1a": 3, a1: 4, "__proto__x": 5 }
[function () {}, class {}, Symbol("in array"), null, undefined, -0, "str"]
[[1,2,3],[4,5,6],[7,8,9],[1,2,3],[4,5,6],[7,8,9],[1,2,3],[4,5,6],[7,8,9]]
Array.from({ length: 20 }, (_, i) => ({ id: i, v: i * 1000 }))
`
	.trim()
	.split("\n");

function collect(write: (text: string) => void): Writable {
	return new Writable({
		write: (chunk, _, done) => {
			write(String(chunk));
			done();
		},
	});
}

/** Node's console, on what the expression `args` is here. */
function printHere(use: (console: Console) => void): string {
	let text = "";
	const stream = collect((written) => {
		text += written;
	});
	use(new Console({ stdout: stream, stderr: stream, colorMode: false }));
	return text;
}

/** Frames differ in number and place; one word stands for each group of them. */
const withoutFrames = (text: string): string =>
	text
		.replaceAll(/\n +\.\.\. \d+ lines matching cause stack trace \.\.\./g, "")
		.replaceAll(/(?:\n +at [^\n]*?(?=\n| \{\n|$))+/g, "\nFRAMES");

const here = (expression: string): unknown => runInThisContext(`(${expression})`);

describeGuests(({ run }) => {
	test.each(values)("console.log(%s) prints what Node prints", async (args) => {
		const expected = printHere((console) => console.log(...(here(`[${args}]`) as unknown[])));
		expect((await run(`console.log(${args});`)).stdout).toBe(expected);
	});

	test("errors are shown with the class, the message, own fields and the cause; frames are the script's own", async () => {
		const source = [
			"class HttpError extends Error { constructor(m, s) { super(m); this.status = s; } }",
			"function fail() { return new HttpError('not there', 404); }",
			"console.log(fail());",
			"console.log(new TypeError('outer', { cause: new RangeError('inner') }));",
			"console.log([new Error('in array')]);",
			"console.log(Object.assign(new Error('named'), { name: 'CustomError' }));",
			"console.log(new AggregateError([new Error('one')], 'several'));",
			"console.log(Object.assign(new Error('x'), { code: 'E' }));",
			"console.log(new (class ValidationError extends Error { name = 'ValidationError' })('bad'));",
			"console.log(new (class extends TypeError {})('anonymous'), new (class Oops extends Error {})('oops'));",
			"console.log({ error: Object.assign(new Error('multi\\nline'), { stack: '' }) }, Object.assign(new Error('s'), { stack: 'own stack' }));",
			"const e = new Error('cyclic'); e.self = e; console.log(e);",
			"console.log(new DOMException('gone', 'AbortError').name, [new Error('a', { cause: 'text' })]);",
		].join("\n");
		const { stdout } = await run(source);
		expect(stdout).not.toContain("cronium:prelude");
		expect(withoutFrames(stdout)).toBe(withoutFrames(printHere((console) => new Function("console", source)(console))));
		expect(stdout).toMatch(/^HttpError: not there\n {4}at HttpError \(script\.js:1:\d+\)\n {4}at fail \(script\.js:2:\d+\)\n/);
	});

	const tables = [
		"[[1, 2], [3, 4]]",
		"[{ a: 1, b: 'x' }, { a: 2, c: true }]",
		"[{ a: 1, b: 2 }, { a: 3, b: 4 }], ['b']",
		"{ r1: { c: 1 }, r2: { c: { d: 1 } } }",
		"new Map([['k', 1], ['l', { a: 1 }]])",
		"new Set([1, 'a'])",
		"[1, 'two', { three: 3 }]",
		"['日本', 'ascii']",
		"'no table'",
		"[]",
		"[[], {}]",
		"null",
	];
	test.each(tables)("console.table(%s) prints what Node prints", async (args) => {
		const expected = printHere((console) => console.table(...(here(`[${args}]`) as [unknown, string[]?])));
		expect((await run(`console.table(${args});`)).stdout).toBe(expected);
	});

	test("groups, counts, assertions and dir print what Node prints, each on its stream", async () => {
		const use = [
			"console.group('outer'); console.log('a\\nb'); console.group(); console.error({ x: 1 }); console.groupEnd();",
			"console.log('c'); console.groupEnd(); console.groupEnd(); console.log('d');",
			"console.count(); console.count(); console.count('x'); console.countReset(); console.count();",
			"console.assert(true, 'no'); console.assert(false, 'value %d', 5); console.assert(false); console.assert(0, { a: 1 });",
			"console.dir({ a: { b: { c: { d: 1 } } } }, { depth: 0 }); console.dir('s');",
			"console.info('i'); console.debug('d'); console.warn('w'); console.log(); console.log('');",
		].join("\n");
		const both = await run(use);
		let stdout = "";
		let stderr = "";
		const node = new Console({
			stdout: collect((text) => {
				stdout += text;
			}),
			stderr: collect((text) => {
				stderr += text;
			}),
			colorMode: false,
		});
		new Function("console", use)(node);
		expect(both.stdout).toBe(stdout);
		expect(both.stderr).toBe(stderr);
	});

	test("trace prints the message and the frames of the script", async () => {
		const { stderr } = await run("function here() { console.trace('at %s', 'last'); }\nhere();");
		expect(stderr).toMatch(/^Trace: at last\n {4}at here \(script\.js:1:\d+\)\n {4}at .*script\.js:2/);
		expect(stderr).not.toContain("cronium:prelude");
	});

	test("timers of the console print a duration, and a warning for a label that there is not", async () => {
		const { stdout, stderr } = await run(
			"console.time('t'); console.timeLog('t', 1); console.timeEnd('t'); console.timeEnd('t'); console.time('u'); console.time('u');",
		);
		expect(stdout).toMatch(/^t: \d+ms 1\nt: \d+ms\n$/);
		expect(stderr).toBe(
			"Warning: No such label 't' for console.timeEnd()\nWarning: Label 'u' already exists for console.time()\n",
		);
	});

	test("a deeply nested or hostile value does not end the run", async () => {
		const { result, stdout } = await run(
			[
				"let deep = []; for (let i = 0; i < 5000; i++) deep = [deep];",
				"console.dir(deep, { depth: Infinity });",
				"console.log(new Proxy({ a: 1 }, {}));",
				"console.log(new Proxy({}, { ownKeys() { throw new Error('trap') } }));",
				"console.log({ get x() { throw new Error('getter') } });",
				"console.log(Promise.resolve(1));",
				"console.log(new Map([[1, 2]]).entries());",
			].join("\n"),
		);
		expect(result.failure).toBeUndefined();
		expect(stdout).toContain("Inspection interrupted prematurely. Maximum call stack size exceeded.");
		expect(stdout).toContain(
			"{ a: 1 }\n<inspection failed: trap>\n{ x: [Getter] }\nPromise { <state unknown> }\n[Map Iterator] { <items unknown> }\n",
		);
	});
});
