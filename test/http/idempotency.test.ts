import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Door, type DoorRun, openDoor } from "./door.ts";
import { openConnection } from "./send-request.ts";

let door: Door;
let run: DoorRun;
beforeAll(async () => {
	door = await openDoor();
});
afterAll(async () => {
	expect(door.internalErrors).toEqual([]);
	await door[Symbol.asyncDispose]();
});
let runs = 0;
beforeEach(async () => {
	run = await door.startRun({ namespace: `idempotency-${runs++}` });
});
afterEach(() => run.end());

const key = { "idempotency-key": "key-1" };
const increment = (headers: Record<string, string> = key, body = "1") =>
	run.call("POST", "/v1/variables/n/increment", body, headers);
const readNumber = async () => (await run.call("GET", "/v1/variables/n")).body;

test("a repetition is answered as the first call was, and does nothing", async () => {
	for (let time = 0; time < 3; time++) expect(await increment()).toMatchObject({ status: 200, text: "1" });
	expect(await readNumber()).toBe(1);
	await increment({ "idempotency-key": "key-2" });
	expect(await increment()).toMatchObject({ text: "1" });
	expect(await readNumber()).toBe(2);
});

test("of many that come at one time one takes effect, and all are answered as it was", async () => {
	const answers = await Promise.all(Array.from({ length: 50 }, () => increment()));
	expect(answers.every(({ status, text }) => status === 200 && text === "1")).toBe(true);
	expect(await readNumber()).toBe(1);
	await run.end();
	const journal = await door.host.executions.journal(run.id);
	const increments = journal.filter(({ operation }) => operation === "variables.increment");
	expect(increments).toHaveLength(50);
	expect(increments.filter(({ version }) => version !== undefined)).toHaveLength(1);
	expect(increments.filter(({ repeats }) => repeats === increments[0]?.sequence)).toHaveLength(49);
});

test("an effect whose answer was lost takes place once", async () => {
	{
		using connection = await openConnection(door);
		connection.write(
			`POST /v1/variables/n/increment HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${run.token}\r\nIdempotency-Key: key-1\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1`,
		);
		await new Promise<void>((resolve) => connection.socket.end(() => resolve()));
		connection.socket.destroy();
	}
	expect(await increment()).toMatchObject({ status: 200, text: "1" });
	expect(await readNumber()).toBe(1);
});

test("every answer of an effect is repeated with its status and its headers", async () => {
	const put = (value: string, headers: Record<string, string> = {}) =>
		run.call("PUT", "/v1/variables/a", value, { ...headers, "idempotency-key": "put" });
	const first = await put("1.0");
	await run.call("PUT", "/v1/variables/a", "2");
	const again = await put("1.0");
	expect([again.status, again.text, again.headers.etag]).toEqual([first.status, first.text, first.headers.etag]);
	expect((await run.call("GET", "/v1/variables/a")).text).toBe("2");
	const remove = () => run.call("DELETE", "/v1/variables/a", undefined, { "idempotency-key": "delete" });
	expect([(await remove()).text, (await remove()).text]).toEqual(["true", "true"]);
	const condition = () => run.call("PUT", "/v1/condition", "true", { "idempotency-key": "condition" });
	expect([(await condition()).status, (await condition()).status]).toEqual([204, 204]);
});

test("a refusal is repeated too: what was a conflict stays one", async () => {
	await run.call("PUT", "/v1/variables/a", "1");
	const put = () => run.call("PUT", "/v1/variables/a", "2", { "if-none-match": "*", "idempotency-key": "made" });
	expect(await put()).toMatchObject({ status: 412 });
	await run.call("DELETE", "/v1/variables/a");
	expect(await put()).toMatchObject({ status: 412 });
	expect(await run.call("GET", "/v1/variables/a")).toMatchObject({ status: 404 });
});

test.each<[string, () => ReturnType<typeof increment>]>([
	["another body", () => increment(key, "2")],
	["another key of a variable", () => run.call("POST", "/v1/variables/m/increment", "1", key)],
	["another operation", () => run.call("PUT", "/v1/variables/n", "1", key)],
	["another condition", () => run.call("PUT", "/v1/condition", "true", key)],
])("a key with %s is idempotency-mismatch, and nothing happens", async (_name, call) => {
	await increment();
	const answer = await call();
	expect(answer).toMatchObject({
		status: 422,
		body: { code: "idempotency-mismatch", detail: expect.stringContaining('"key-1" was used by call 1') },
	});
	expect(await readNumber()).toBe(1);
	expect(await run.call("GET", "/v1/variables/m")).toMatchObject({ status: 404 });
	expect(await run.call("GET", "/v1/condition")).toMatchObject({ text: "null" });
});

test("a key is the run's own: another run that uses it does its own work, in the same namespace too", async () => {
	await run.call("PUT", "/v1/variables/secret", '"of A"', { "idempotency-key": "shared" });
	const other = await door.startRun({ namespace: "elsewhere" });
	expect(await other.call("DELETE", "/v1/variables/secret", undefined, { "idempotency-key": "shared" })).toMatchObject({
		status: 200,
		text: "false",
	});
	const second = await door.startRun({ namespace: `idempotency-${runs - 1}` });
	await increment();
	expect(await second.call("POST", "/v1/variables/n/increment", "1", key)).toMatchObject({ text: "2" });
	await Promise.all([other.end(), second.end()]);
});

test("a call that was refused before it began leaves its key free", async () => {
	expect(await run.call("PUT", "/v1/variables/a", "{", { "idempotency-key": "free" })).toMatchObject({ status: 400 });
	expect(await run.call("PUT", "/v1/variables/a", "1", { "idempotency-key": "free" })).toMatchObject({ status: 200 });
});

test.each([
	["empty", ""],
	["longer than 255 characters", "k".repeat(256)],
	["with a character beyond ASCII", "\u00e9"],
	["with a tab", "a\tb"],
])("a key that is %s is invalid, and the call is not made", async (_name, name) => {
	expect(await increment({ "idempotency-key": name })).toMatchObject({
		status: 400,
		body: { code: "invalid", detail: "The idempotency key must have 1 to 255 printable ASCII characters." },
	});
	expect(await run.call("GET", "/v1/variables/n")).toMatchObject({ status: 404 });
});

test("names that are members of every object are keys like others", async () => {
	for (const name of ["__proto__", "constructor", "toString"])
		for (let time = 0; time < 2; time++) await increment({ "idempotency-key": name });
	expect(await readNumber()).toBe(3);
});

test("a key with a call that only reads changes nothing: it reads anew", async () => {
	await run.call("PUT", "/v1/variables/a", "1");
	expect(await run.call("GET", "/v1/variables/a", undefined, key)).toMatchObject({ text: "1" });
	await run.call("PUT", "/v1/variables/a", "2");
	expect(await run.call("GET", "/v1/variables/a", undefined, key)).toMatchObject({ text: "2" });
	expect(await increment()).toMatchObject({ status: 200 });
});

test("who has no right to a call has none to its answer, whatever key the call had", async () => {
	expect(await increment()).toMatchObject({ status: 200, text: "1" });
	const live = door.host.external(run.id);
	if (!live) throw new Error("The run is not under way.");
	const reader = await door.tokens.issue(live, { audience: "bridge", scopes: ["variables:read"] });
	expect(await increment({ ...key, authorization: `Bearer ${reader.token}` })).toMatchObject({
		status: 403,
		body: { code: "denied", detail: expect.stringContaining("variables:write") },
	});
	expect(await increment()).toMatchObject({ status: 200, text: "1" });
});
