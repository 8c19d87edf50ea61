import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ControlServer, credential, openControlServer } from "./control/control-server.ts";
import { type Door, type DoorRun, openDoor } from "./door.ts";
import { exchange, type HttpAnswer, sendRequest } from "./send-request.ts";

let door: Door;
let run: DoorRun;
let control: ControlServer;
beforeAll(async () => {
	door = await openDoor();
	run = await door.startRun();
	control = await openControlServer();
});
afterAll(async () => {
	expect([...door.internalErrors, ...control.internalErrors]).toEqual([]);
	await run.end();
	await door[Symbol.asyncDispose]();
	await control[Symbol.asyncDispose]();
});

const asOperator = (method: string, path: string, body?: string) =>
	sendRequest(control, method, path, {
		headers: { authorization: `Bearer ${credential}` },
		...(body !== undefined && { body }),
	});

/** How a variable is reached at either server. */
const servers: readonly [string, (method: string, segment: string, body?: string) => Promise<HttpAnswer>][] = [
	["the runtime API", (method, segment, body) => run.call(method, `/v1/variables/${segment}`, body)],
	["the control API", (method, segment, body) => asOperator(method, `/control/v1/namespaces/default/variables/${segment}`, body)],
];

describe.each(servers)("%s", (_name, call) => {
	test.each([
		["a/b", "a%2Fb"],
		["a/b", "a%2fb"],
		["a%2Fb", "a%252Fb"],
		["a%252Fb", "a%25252Fb"],
		["../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"],
		["../x", "%2e%2e%2fx"],
		["..\\x", "..%5Cx"],
		["...", "..."],
		["%00", "%2500"],
		["%", "%25"],
		["a b+c", "a%20b+c"],
		["a;b=c", "a;b=c"],
		["a?b#c", "a%3Fb%23c"],
		["{key}", "%7Bkey%7D"],
		[":key", ":key"],
		["*", "*"],
		["a%0d%0aSet-Cookie: b", "a%250d%250aSet-Cookie:%20b"],
		["é", "%C3%A9"],
		["日本語\u{1f600}", encodeURIComponent("日本語\u{1f600}")],
		["\u{1f600}".repeat(255), encodeURIComponent("\u{1f600}".repeat(255))],
		["__proto__", "__proto__"],
		["increment", "increment"],
		["http://elsewhere.example/", "http:%2F%2Felsewhere.example%2F"],
	])("the key %j is the segment %s", async (key, segment) => {
		expect(await call("PUT", segment, JSON.stringify(key))).toMatchObject({ status: 200 });
		expect(await call("GET", segment)).toMatchObject({ status: 200, body: key });
		expect(await call("DELETE", segment)).toMatchObject({ status: 200, text: "true" });
	});

	test.each([
		["nothing", "", "key is empty"],
		["a dot", ".", 'key must not be "."'],
		["two dots", "..", 'key must not be ".."'],
		["two dots, encoded", "%2e%2e", 'key must not be ".."'],
		["NUL", "a%00b", "U+0000 at offset 1"],
		["line ends", "a%0d%0ab", "U+000D"],
		["a C1 control character", "%C2%85", "U+0085"],
		["DEL", "%7f", "U+007F"],
		["256 characters", "k".repeat(256), "256 characters; the limit is 255"],
	])("%s is no key", async (_name, segment, detail) => {
		for (const [method, body] of [["GET"], ["DELETE"], ["PUT", "1"]] as const) {
			const answer = await call(method, segment, body);
			expect(answer).toMatchObject({ status: 400, body: { code: "invalid", detail: expect.stringContaining(detail) } });
			// What was in the path cannot begin a line or a header of the answer.
			expect(answer.text).not.toMatch(/[\r\n\0\x7f\u0085]/);
		}
	});

	test.each([
		["half an escape", "%"],
		["no hexadecimal digits", "%zz"],
		["an overlong slash", "%c0%af"],
		["a lone surrogate", "%ed%a0%80"],
		["a lone continuation byte", "%80"],
		["UTF-16 escapes", "%u002e"],
		["5,000 characters", "k".repeat(5_000)],
	])("a path with %s is malformed", async (_name, segment) => {
		const answer = await call("PUT", segment, "1");
		expect(answer).toMatchObject({ status: 400, body: { detail: "The path of the request is malformed or too long." } });
		expect(answer.headers).toMatchObject({ "cache-control": "no-store", "x-content-type-options": "nosniff" });
	});

	test("dots in a path that are not encoded are a key or no route, and lead nowhere", async () => {
		for (const segment of ["../input", "a/../../input", "./a", "a//b", "a/./increment"])
			expect(await call("GET", segment), segment).toMatchObject({ status: 404, body: { code: "not-found" } });
	});
});

test.each(["..", ".", "%2e%2e", "..%2Fdefault", "a%2Fb", "a%00", "%20", "n".repeat(300), "__proto__%2F"])(
	"the namespace %s is none",
	async (namespace) => {
		await asOperator("PUT", "/control/v1/namespaces/default/variables/a", '"of default"');
		const answer = await asOperator("GET", `/control/v1/namespaces/${namespace}/variables/a`);
		expect(answer).toMatchObject({ status: 400, body: { code: "invalid", detail: expect.stringContaining("namespace") } });
	},
);

test.each(["..%2Fx", "%00", "a%0d%0ab", "%2e%2e", "x".repeat(65), "'%20OR%201=1"])("the run %s is none", async (id) => {
	for (const [method, path] of [
		["GET", ""],
		["GET", "/outcome"],
		["GET", "/logs"],
		["GET", "/journal"],
		["POST", "/cancel"],
		["DELETE", "/tokens"],
	] as const) {
		const answer = await asOperator(method, `/control/v1/runs/${id}${path}`);
		expect([400, 404], `${method} ${path}`).toContain(answer.status);
		expect(answer.text).not.toMatch(/[\r\n\0]/);
	}
});

test("a path as raw bytes beyond ASCII is malformed or not found, and the server goes on", async () => {
	for (const bytes of ["\xff\xfe", "a\xc3\xa9", "\x80"]) {
		const head = Buffer.from(
			`GET /v1/variables/${bytes} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${run.token}\r\nConnection: close\r\n\r\n`,
			"latin1",
		);
		expect(await exchange(door, head)).toMatch(/^HTTP\/1\.1 4/);
	}
	expect(await run.call("GET", "/v1/condition")).toMatchObject({ status: 200 });
});
