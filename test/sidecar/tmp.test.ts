import { expect, test } from "vitest";
import { createClient } from "../../guest-sdks/js/src/index.ts";
import { openDoors } from "./doors.ts";
test("x", async () => {
	await using d = await openDoors();
	const run = await d.openRun({});
	for (const [k, v] of Object.entries(run.env)) process.env[k] = v;
	const c: any = createClient();
	const t = performance.now();
	let closed = 0;
	const r = await Promise.allSettled(Array.from({ length: 1000 }, (_, i) => c.incrementVariable("a").catch((e: any) => { throw new Error(`${i} ${performance.now() - t} ${e.message}`) })));
	const bad = r.filter((x) => x.status === "rejected");
	console.log(performance.now() - t, bad.length, bad.slice(0, 10).map((b: any) => b.reason.message));
	c.close();
	await run.end();
});
