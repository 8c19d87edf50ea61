import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { openDoors } from "./doors.ts";

test("x", async () => {
	await using d = await openDoors();
	const run = await d.openRun({ input: "[1]" });
	expect(readdirSync(run.directory)).toHaveLength(5);
	const t = performance.now();
	const answer = await run.call("GET", "/v1/input");
	console.log(performance.now() - t, answer.text, answer.status);
	console.log((await run.call("PUT", "/v1/variables/a", { body: "12" })).text);
	const other = await d.openRun();
	console.log((await run.call("GET", "/v1/input", { tls: other.tls })).text);
	console.log((await run.call("GET", "/v1/input", { token: other.token })).text);
	console.log((await run.call("GET", "/v1/input", { tls: other.tls, token: other.token })).text);
	await run.end();
	await other.end();
	expect(d.internalErrors).toEqual([]);
});
