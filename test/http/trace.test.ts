import { afterAll, beforeAll, expect, test } from "vitest";
import { type Door, openDoor } from "./door.ts";

const trace = (character: string) => `00-${character.repeat(32)}-${"b".repeat(16)}-01`;

let door: Door;
beforeAll(async () => {
	door = await openDoor();
});
afterAll(async () => {
	expect(door.internalErrors).toEqual([]);
	await door[Symbol.asyncDispose]();
});

test("the journal has the trace of each call, that of its run when it says nothing, and the call that an answer names", async () => {
	const run = await door.startRun({ traceparent: trace("a") });
	await run.call("PUT", "/v1/condition", "true", { traceparent: trace("c") });
	const refused = await run.call("PUT", "/v1/condition", "1", { traceparent: trace("d") });
	await run.call("GET", "/v1/condition");
	const missing = await run.call("GET", "/v1/variables/none", undefined, { traceparent: trace("e") });
	await run.end();
	const journal = await door.host.executions.journal(run.id);
	expect(journal.map(({ operation, traceparent }) => [operation, traceparent])).toEqual([
		["condition.set", trace("c")],
		["condition.get", trace("a")],
		["variables.get-entry", trace("e")],
	]);
	expect(`urn:cronium:call:${journal[2]?.callId}`).toBe(missing.body.instance);
	// What had the wrong shape was no call.
	expect(refused.status).toBe(400);
});

test.each([
	["too short", "00-abc-def-01"],
	["upper case", trace("A")],
	["a quotation mark", `00-${"a".repeat(31)}"-${"b".repeat(16)}-01`],
	["two of them", `${trace("a")}, ${trace("c")}`],
	["a long one", "0".repeat(8_000)],
])("a traceparent that is malformed is left out, and the call is made: %s", async (_name, traceparent) => {
	const run = await door.startRun();
	expect(await run.call("PUT", "/v1/condition", "true", { traceparent })).toMatchObject({ status: 204 });
	await run.end();
	const [entry] = await door.host.executions.journal(run.id);
	expect(entry).toMatchObject({ operation: "condition.set" });
	expect(entry).not.toHaveProperty("traceparent");
});
