import { expect, test } from "vitest";
import { RateBudget } from "../../host/http/rate-limit.ts";
import { openDoor } from "./door.ts";
import { openConnection } from "./send-request.ts";

test("a budget has one second's calls at once, and gets them back steadily", () => {
	const budget = new RateBudget(10, 0);
	for (let call = 0; call < 10; call++) expect(budget.take(0)).toBe(0);
	expect([budget.take(0), budget.left]).toEqual([100, 0]);
	expect(budget.take(50)).toBe(50);
	expect([budget.take(100), budget.take(100)]).toEqual([0, 100]);
	// Idle time is not saved up.
	for (let call = 0; call < 10; call++) expect(budget.take(1e9)).toBe(0);
	expect(budget.take(1e9)).toBe(100);
});

test("a budget never says to wait 0 ms when it refuses, and gives back no more than it has", () => {
	const budget = new RateBudget(1_000_000, 0);
	for (let call = 0; call < 1_000_000; call++) budget.take(0);
	expect(budget.take(0)).toBe(1);
	const full = new RateBudget(2, 0);
	full.giveBack();
	expect(full.left).toBe(2);
	expect(full.isFull(0)).toBe(true);
	full.take(0);
	expect([full.isFull(0), full.isFull(499), full.isFull(500)]).toEqual([false, false, true]);
});

test("a run that calls too often is refused with the limit and the time to wait, and another run is not", async () => {
	await using door = await openDoor();
	const run = await door.startRun({ limits: { maxCallsPerSecond: 3 } });
	const other = await door.startRun();
	const answers = await Promise.all(Array.from({ length: 12 }, () => run.call("GET", "/v1/condition")));
	const refused = answers.filter(({ status }) => status === 429);
	expect(refused.length).toBeGreaterThan(5);
	expect(refused[0]?.body).toMatchObject({
		code: "rate-limited",
		detail: "This run makes too many calls; the limit maxCallsPerSecond is 3.",
		limit: { name: "maxCallsPerSecond", value: 3, unit: "calls" },
		retryAfterMs: expect.any(Number),
	});
	expect(refused[0]?.headers["retry-after"]).toBe("1");
	const admitted = answers.filter(({ status }) => status === 200);
	expect(admitted.map(({ headers }) => headers.ratelimit).sort()).toContain('"run";r=0;t=1');
	expect(admitted[0]?.headers["ratelimit-policy"]).toBe('"run";q=3;w=1');
	expect(await other.call("GET", "/v1/condition")).toMatchObject({ status: 200 });
	// What was refused left nothing behind.
	const { usage } = await run.end();
	expect(usage.hostCalls).toBe(admitted.length);
	expect(await door.host.executions.journal(run.id)).toHaveLength(admitted.length);
	await other.end();
});

test("runs of one namespace share its rate, those of another have their own, and what was refused is given back to the run", async () => {
	await using door = await openDoor({ limits: { maxNamespaceCallsPerSecond: 4 } });
	const runs = await Promise.all(
		["a", "a", "b"].map((namespace) => door.startRun({ namespace, limits: { maxCallsPerSecond: 100 } })),
	);
	const [first, second, elsewhere] = runs as [(typeof runs)[number], (typeof runs)[number], (typeof runs)[number]];
	const answers = await Promise.all(
		[first, second].flatMap((run) => Array.from({ length: 8 }, () => run.call("GET", "/v1/condition"))),
	);
	const refused = answers.filter(({ status }) => status === 429);
	expect(refused.length).toBeGreaterThan(5);
	expect(refused[0]?.body).toMatchObject({ limit: { name: "maxNamespaceCallsPerSecond", value: 4 } });
	const answer = await elsewhere.call("GET", "/v1/condition");
	expect(answer).toMatchObject({ status: 200 });
	expect(answer.headers.ratelimit).toBe('"run";r=99;t=1');
	await Promise.all(runs.map((run) => run.end()));
});

test("a run has a number of calls that may be under way, and connections that were cut do not count", async () => {
	await using door = await openDoor();
	const run = await door.startRun({ limits: { maxPendingCalls: 3 } });
	const unfinished = `PUT /v1/output HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${run.token}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n`;
	for (let round = 0; round < 3; round++) {
		const connections = await Promise.all(Array.from({ length: 3 }, () => openConnection(door)));
		for (const connection of connections)
			connection.write(`${unfinished.replace("Content-Length: 9", "Content-Length: 9\r\nExpect: 100-continue")}1`);
		// Admitted: Node asks for the body just before the request is taken.
		await Promise.all(connections.map(({ received }) => received(/100 Continue/)));
		expect(await run.call("GET", "/v1/condition")).toMatchObject({
			status: 429,
			body: { code: "rate-limited", limit: { name: "maxPendingCalls", value: 3 }, retryAfterMs: 100 },
		});
		for (const { socket } of connections) socket.resetAndDestroy();
		await Promise.all(connections.map(({ closed }) => closed));
		await expect.poll(async () => (await run.call("GET", "/v1/condition")).status, { interval: 5 }).toBe(200);
	}
	await run.end();
});

test("a run has a number of bytes that may be under way to it, announced or not, and they come back however the call ends", async () => {
	await using door = await openDoor();
	const run = await door.startRun({ limits: { maxPendingBytes: 65_536, maxValueBytes: 40_000 } });
	const begin = async (...lines: readonly string[]) => {
		const connection = await openConnection(door);
		const head = [
			"PUT /v1/variables/a HTTP/1.1",
			"Host: a",
			`Authorization: Bearer ${run.token}`,
			"Content-Type: application/json",
			...lines,
		];
		connection.write(`${head.join("\r\n")}\r\nExpect: 100-continue\r\n\r\n`);
		await connection.received(/100 Continue/);
		return connection;
	};
	const refused = {
		status: 429,
		body: { code: "rate-limited", limit: { name: "maxPendingBytes", value: 65_536 }, retryAfterMs: 100 },
	};
	const large = `"${"a".repeat(39_000)}"`;
	const put = () => run.call("PUT", "/v1/variables/a", large);
	using announced = await begin(`Content-Length: ${large.length}`);
	expect(await put()).toMatchObject(refused);
	expect(await run.call("PUT", "/v1/variables/a", '"small"')).toMatchObject({ status: 200 });
	announced.write(large);
	await announced.received(/200 OK/);
	expect(await put()).toMatchObject({ status: 200 });
	using chunked = await begin("Transfer-Encoding: chunked");
	expect(await put()).toMatchObject(refused);
	chunked.socket.resetAndDestroy();
	await chunked.closed;
	await expect.poll(async () => (await put()).status, { interval: 5 }).toBe(200);
	await run.end();
});

test("a run that has made all its calls makes no more, and is not told to try again", async () => {
	await using door = await openDoor();
	const run = await door.startRun({ limits: { maxHostCalls: 2 } });
	for (let call = 0; call < 2; call++) expect(await run.call("GET", "/v1/condition")).toMatchObject({ status: 200 });
	const answer = await run.call("GET", "/v1/condition");
	expect(answer).toMatchObject({ status: 429, body: { limit: { name: "maxHostCalls", value: 2 } } });
	expect(answer.headers["retry-after"]).toBeUndefined();
	expect(answer.body.retryAfterMs).toBeUndefined();
	await run.end();
});

test("whoever has no token uses up nobody's rate", async () => {
	await using door = await openDoor();
	const run = await door.startRun({ limits: { maxCallsPerSecond: 2 } });
	const forged = { authorization: `Bearer ${run.token.slice(0, -6)}AAAAAA` };
	for (let call = 0; call < 10; call++)
		expect(await run.call("GET", "/v1/condition", undefined, forged)).toMatchObject({ status: 401 });
	expect(await run.call("GET", "/v1/condition")).toMatchObject({ status: 200 });
	await run.end();
});
