import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Door, type DoorRun, openDoor } from "./door.ts";
import { type AnyServer, everyServer } from "./every-server.ts";
import { sendRequest } from "./send-request.ts";

const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

describe.each(everyServer)("$name", ({ open }) => {
	let server: AnyServer;
	beforeAll(async () => {
		server = await open();
		await server.put('"before"');
	});
	afterAll(async () => {
		expect(server.internalErrors).toEqual([]);
		// Whatever came, nothing of it was kept.
		expect(await server.readValue()).toMatchObject({ text: '"before"' });
		await server[Symbol.asyncDispose]();
	});

	test.each([
		["no body at all", ""],
		["an object that is open", "{"],
		["two values", "1 2"],
		["a word", "nothing"],
		["a comma too many", "[1,]"],
		["single quotes", "{'a':1}"],
		["a comment", "1 // one"],
		["NaN", "NaN"],
		["a leading zero", "01"],
		["a byte order mark", "\ufeff1"],
		["a control character in a string", '"\u0000"'],
		["a duplicate member", '{"a":1,"a":2}'],
		["a duplicate member that is spelt in another way", '{"a":1,"\\u0061":2}'],
		["a duplicate member deep inside", '[[{"b":{"a":1,"a":2}}]]'],
		["a lone surrogate", '"\\ud800"'],
		["129 levels", deep(129)],
		["30,000 levels", deep(30_000)],
		["30,000 levels that are never closed", "[".repeat(30_000)],
		["30,000 levels of objects", '{"a":'.repeat(10_000)],
	])("refuses %s as invalid", async (_name, body) => {
		const answer = await server.put(body);
		expect(answer).toMatchObject({ status: 400, body: { code: "invalid", status: 400, detail: expect.any(String) } });
		expect(answer.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
	});

	test.each([
		["a lone continuation byte", "2280 22"],
		["an overlong form", "22c080 22"],
		["a surrogate as bytes", "22eda080 22"],
		["UTF-16", "fffe 2200 2200"],
		["gzip", "1f8b0800000000000003 5352 0200"],
	])("refuses bytes that are not UTF-8: %s", async (_name, hex) => {
		const body = Buffer.from(hex.replaceAll(" ", ""), "hex");
		expect(await server.put(body)).toMatchObject({ status: 400, body: { detail: "The body is not UTF-8." } });
	});

	test.each([
		"text/plain",
		"application/x-www-form-urlencoded",
		"multipart/form-data; boundary=a",
		"application/xml",
		"application/json-patch+json",
		"application/jsonp",
		"text/json",
		"application/json, text/plain",
		"application json",
		"json",
		"",
	])("refuses the content type %j with 415", async (type) => {
		expect(await server.put("1", { "content-type": type })).toMatchObject({
			status: 415,
			body: { code: "invalid", status: 415, detail: "The Content-Type of the body must be application/json." },
		});
	});

	test("keeps 128 levels, and takes a content type in any case with parameters", async () => {
		for (const type of ["application/json", "Application/JSON", "application/json;charset=utf-8", "application/json ; a=b"])
			expect(await server.put(deep(128), { "content-type": type })).toMatchObject({ status: 200 });
		expect((await server.readValue()).text).toBe(deep(128));
		await server.put('"before"');
	});
});

describe("the shapes of calls", () => {
	let door: Door;
	let run: DoorRun;
	beforeAll(async () => {
		door = await openDoor();
		run = await door.startRun();
	});
	afterAll(async () => {
		expect(door.internalErrors).toEqual([]);
		await run.end();
		await door[Symbol.asyncDispose]();
	});

	test.each([
		["PUT", "/v1/condition", "1", "value"],
		["PUT", "/v1/condition", '"true"', "value"],
		["PUT", "/v1/condition", "null", "value"],
		["POST", "/v1/variables/a/increment", '"1"', "by"],
		["POST", "/v1/variables/a/increment", "1e999", "by"],
		["POST", "/v1/variables/a/increment", "[1]", "by"],
		["POST", "/v1/logs", "[]", "must be a JSON object"],
		["POST", "/v1/logs", "", "needs a body"],
		["POST", "/v1/logs", '{"level":"info"}', "message"],
		["POST", "/v1/logs", '{"level":"loud","message":"a"}', "level"],
		["POST", "/v1/logs", '{"level":"info","message":1}', "message"],
		["POST", "/v1/logs", '{"level":"info","message":"a","fields":[1]}', "fields"],
		["POST", "/v1/logs", '{"level":"info","message":"a","colour":1}', 'the member "colour"'],
		["POST", "/v1/logs", '{"level":"info","message":"a","__proto__":{}}', 'the member "__proto__"'],
		["POST", "/v1/logs", '{"level":"info","level":"info","message":"a"}', "twice"],
		["DELETE", "/v1/variables/a", "1", "takes no body"],
		["PUT", "/v1/variables/a?expiresInMs=0", "1", "expiresInMs is 0"],
		["PUT", "/v1/variables/a?expiresInMs=1e3", "1", 'expiresInMs is "1e3"'],
		["PUT", "/v1/variables/a?expiresInMs=1.5", "1", "expiresInMs"],
		["PUT", "/v1/variables/a?expiresInMs=0x10", "1", "expiresInMs"],
		["PUT", "/v1/variables/a?expiresInMs=", "1", "expiresInMs"],
		["PUT", "/v1/variables/a?expiresInMs=9007199254740991", "1", "expiresInMs is 9007199254740991"],
		["PUT", "/v1/variables/a?expiresInMs=1&expiresInMs=2", "1", "expiresInMs is given more than once"],
		["PUT", "/v1/variables/a?expiresinms=1", "1", 'no query parameter "expiresinms"'],
		["PUT", "/v1/variables/a?__proto__=1", "1", 'no query parameter "__proto__"'],
		["PUT", "/v1/variables/a?ifAbsent=true", "1", 'no query parameter "ifAbsent"'],
		["GET", "/v1/variables?limit=0", undefined, "limit is 0"],
		["GET", "/v1/variables?limit=1001", undefined, "maxPageSize"],
		["GET", "/v1/variables?limit=99999999999999999999999", undefined, "limit"],
		["GET", "/v1/variables?cursor=%00", undefined, "cursor"],
		["GET", "/v1/variables?prefix=%00", undefined, "prefix"],
		["GET", "/v1/input?execution=another", undefined, 'no query parameter "execution"'],
	])("%s %s with %j is invalid: %s", async (method, path, body, detail) => {
		const answer = await run.call(method, path, body);
		expect(answer).toMatchObject({ status: 400, body: { code: "invalid", detail: expect.stringContaining(detail) } });
	});

	test("a body without a content type is refused, and none needs none", async () => {
		const headers = { authorization: `Bearer ${run.token}`, "content-type": [] };
		expect(await sendRequest(door, "PUT", "/v1/condition", { headers, body: "true" })).toMatchObject({ status: 415 });
		expect(await run.call("POST", "/v1/variables/n/increment")).toMatchObject({ status: 200, text: "1" });
	});

	test("a value keeps its text, whatever it holds", async () => {
		for (const text of [
			"1.0",
			"-0",
			"1e400",
			"18446744073709551616",
			' {"__proto__": {"a": 1}, "constructor": 2} ',
			'"\\u0000\\u202e"',
		]) {
			expect(await run.call("PUT", "/v1/variables/text", text)).toMatchObject({ status: 200 });
			expect((await run.call("GET", "/v1/variables/text")).text).toBe(text);
		}
		expect(({} as { a?: unknown }).a).toBeUndefined();
	});
});
