import { afterAll, beforeAll, expect, test } from "vitest";
import { type Door, type DoorRun, openDoor } from "./door.ts";

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

/** Writes the variable, and returns its ETag. */
async function write(key: string, value: string): Promise<string> {
	const { status, headers } = await run.call("PUT", `/v1/variables/${key}`, value);
	expect(status).toBe(200);
	return headers.etag as string;
}

test("a version is the ETag of what was written and of what is read, and the body of the first", async () => {
	const tag = await write("a", "1");
	expect(tag).toMatch(/^"[^"]+"$/);
	const put = await run.call("PUT", "/v1/variables/a", "2");
	expect(`"${put.body}"`).toBe(put.headers.etag);
	expect(put.headers.etag).not.toBe(tag);
	const got = await run.call("GET", "/v1/variables/a");
	expect(got.headers).toMatchObject({ etag: put.headers.etag, "cronium-updated-by": run.id, "content-length": "1" });
	expect(got.headers["cronium-expires-at"]).toBeUndefined();
});

test("If-Match writes over that version only, and the refusal names the version that there is", async () => {
	const first = await write("b", "1");
	const second = await write("b", "2");
	const refused = await run.call("PUT", "/v1/variables/b", "3", { "if-match": first });
	expect(refused).toMatchObject({ status: 412, body: { code: "conflict", currentVersion: second.slice(1, -1) } });
	expect((await run.call("GET", "/v1/variables/b")).text).toBe("2");
	expect(await run.call("PUT", "/v1/variables/b", "3", { "if-match": second })).toMatchObject({ status: 200 });
	expect(await run.call("DELETE", "/v1/variables/b", undefined, { "if-match": second })).toMatchObject({ status: 412 });
	expect((await run.call("GET", "/v1/variables/b")).text).toBe("3");
});

test("a version is not good again when its variable was deleted and made anew", async () => {
	const tag = await write("c", "1");
	expect(await run.call("DELETE", "/v1/variables/c", undefined, { "if-match": tag })).toMatchObject({
		status: 200,
		text: "true",
	});
	const gone = await run.call("PUT", "/v1/variables/c", "2", { "if-match": tag });
	expect(gone).toMatchObject({ status: 412, body: { code: "conflict" } });
	expect(gone.body.currentVersion).toBeUndefined();
	await write("c", "1");
	expect(await run.call("PUT", "/v1/variables/c", "2", { "if-match": tag })).toMatchObject({ status: 412 });
});

test("of many that write with one version at one time, one does", async () => {
	const tag = await write("d", "0");
	const answers = await Promise.all(
		Array.from({ length: 20 }, (_, index) => run.call("PUT", "/v1/variables/d", String(index), { "if-match": tag })),
	);
	expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 19 }, () => 412)]);
});

test("of many that make a variable at one time, one does", async () => {
	const answers = await Promise.all(
		Array.from({ length: 20 }, (_, index) => run.call("PUT", "/v1/variables/made", String(index), { "if-none-match": "*" })),
	);
	expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 19 }, () => 412)]);
	const winner = answers.findIndex(({ status }) => status === 200);
	expect((await run.call("GET", "/v1/variables/made")).text).toBe(String(winner));
});

test("If-None-Match with GET saves the body while the version is the same", async () => {
	const tag = await write("e", '"long"');
	for (const header of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
		const answer = await run.call("GET", "/v1/variables/e", undefined, { "if-none-match": header });
		expect(answer, header).toMatchObject({ status: 304, text: "" });
		expect(answer.headers.etag).toBe(tag);
	}
	for (const header of ['"other"', tag.slice(1, -1), '""'])
		expect(await run.call("GET", "/v1/variables/e", undefined, { "if-none-match": header }), header).toMatchObject({
			status: 200,
		});
	const next = await write("e", '"longer"');
	expect(await run.call("GET", "/v1/variables/e", undefined, { "if-none-match": tag })).toMatchObject({ text: '"longer"' });
	expect(next).not.toBe(tag);
	expect(await run.call("GET", "/v1/variables/none", undefined, { "if-none-match": "*" })).toMatchObject({ status: 404 });
});

test.each([
	["If-Match without quotation marks", { "if-match": "7" }, 'If-Match is "7"'],
	["If-Match with a weak tag", { "if-match": 'W/"7"' }, "If-Match is"],
	["If-Match with two versions", { "if-match": '"7", "8"' }, "If-Match is"],
	["If-Match with anything", { "if-match": "*" }, 'If-Match is "*"'],
	["If-Match that is empty", { "if-match": '""' }, "If-Match is"],
	["If-None-Match with a version", { "if-none-match": '"7"' }, "If-None-Match is"],
	["both conditions", { "if-match": '"7"', "if-none-match": "*" }, "ifAbsent"],
])("%s is refused and writes nothing", async (_name, headers, detail) => {
	const tag = await write("f", "1");
	const answer = await run.call("PUT", "/v1/variables/f", "2", headers);
	expect(answer).toMatchObject({ status: 400, body: { code: "invalid", detail: expect.stringContaining(detail) } });
	expect((await run.call("GET", "/v1/variables/f")).headers.etag).toBe(tag);
});

test("a version that never was is a conflict, however it looks", async () => {
	await write("g", "1");
	for (const version of ["7", "0", "-1", "99999999999999999999999", "__proto__", "é"]) {
		const headers = { "if-match": Buffer.from(`"${version}"`, "utf8").toString("latin1") };
		expect(await run.call("PUT", "/v1/variables/g", "2", headers), version).toMatchObject({ status: 412 });
	}
});

test("a write without an expiry takes the one before away", async () => {
	await run.call("PUT", "/v1/variables/h?expiresInMs=600000", "1");
	expect((await run.call("GET", "/v1/variables/h")).headers["cronium-expires-at"]).toMatch(/^\d{4}-.*Z$/);
	await write("h", "2");
	expect((await run.call("GET", "/v1/variables/h")).headers["cronium-expires-at"]).toBeUndefined();
});
