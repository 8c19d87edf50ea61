import { describe, expect, test } from "vitest";
import { Traffic } from "../../host/http/traffic.ts";
import { type Door, type DoorRun, type DoorSetup, openDoor } from "./door.ts";
import { openConnection } from "./send-request.ts";

const size = 1024 * 1024;
const large = `"${"a".repeat(size - 2)}"`;
const get = ({ token }: DoorRun, path: string): string =>
	`GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`;

/** Over a Unix socket, for which the system keeps less than one answer. */
const open = (limits: NonNullable<DoorSetup["limits"]>) => openDoor({ unixSocket: true, limits });

/** Asks for the large value so often at once, and reads no more than the beginning of the first answer. */
async function askWithoutReading(door: Door, run: DoorRun, times: number) {
	const connection = await openConnection({ socketPath: door.socketPath as string });
	// The token is known then, and nothing has to wait for its verification.
	await run.call("GET", "/v1/variables/none");
	connection.write(get(run, "/v1/variables/large").repeat(times));
	// All of them come in one piece, and are answered before the first answer is sent.
	await connection.received(/ 200 /);
	connection.socket.pause();
	return connection;
}

describe("answers that are not read", () => {
	test("take no more than maxPendingBytes of a run, the rest is refused, and another run is served", async () => {
		await using door = await open({ maxPendingBytes: 4 * size });
		await door.host.variables().set("large", large);
		const [run, other] = [await door.startRun(), await door.startRun()];
		using connection = await askWithoutReading(door, run, 14);
		expect(await run.call("GET", "/v1/variables/large")).toMatchObject({
			status: 429,
			headers: { "retry-after": "1", "content-type": "application/problem+json; charset=utf-8" },
			body: {
				code: "rate-limited",
				detail: `The calls of this run that are under way have too many bytes; the limit maxPendingBytes is ${4 * size}.`,
				limit: { name: "maxPendingBytes", value: 4 * size, unit: "bytes" },
			},
		});
		expect((await run.call("GET", "/v1/variables/large")).headers.etag).toBeUndefined();
		expect(await other.call("GET", "/v1/variables/large")).toMatchObject({ status: 200, text: large });
		// Whoever reads in the end finds as many as there was room for, and has the room again.
		connection.write(get(run, "/v1/none").replace("Host: a", "Host: a\r\nConnection: close"));
		connection.socket.resume();
		const answers = (await connection.closed).match(/HTTP\/1\.1 \d+/g) ?? [];
		expect(answers).toHaveLength(15);
		expect(answers.slice(0, 14)).toEqual(Array.from({ length: 14 }, (_, index) => `HTTP/1.1 ${index < 4 ? 200 : 429}`));
		expect(await run.call("GET", "/v1/variables/large")).toMatchObject({ status: 200 });
		expect(door.internalErrors).toEqual([]);
		await Promise.all([run.end(), other.end()]);
	});

	test("give their room back when the connection is cut, those that wait for others too", async () => {
		await using door = await open({ maxPendingBytes: 3 * size, maxPendingCalls: 18 });
		await door.host.variables().set("large", large);
		const run = await door.startRun();
		for (let round = 0; round < 3; round++) {
			const connection = await askWithoutReading(door, run, 14);
			expect((await run.call("GET", "/v1/variables/large")).status).toBe(429);
			connection.socket.destroy();
			await connection.closed;
			// Three at a time have room again, and calls as well.
			await expect
				.poll(
					async () => {
						const answers = await Promise.all([1, 2, 3].map(() => run.call("GET", "/v1/variables/large")));
						return answers.map(({ status }) => status);
					},
					{ interval: 5 },
				)
				.toEqual([200, 200, 200]);
		}
		await run.end();
	});

	test("take no more than maxNamespacePendingBytes of all runs of a namespace, and nothing of another's", async () => {
		await using door = await open({ maxNamespacePendingBytes: 4 * size });
		for (const namespace of ["flood", "calm"]) await door.host.variables(namespace).set("large", large);
		const runs = await Promise.all(["flood", "flood", "calm"].map((namespace) => door.startRun({ namespace })));
		const [run, sibling, calm] = runs as [DoorRun, DoorRun, DoorRun];
		using _connection = await askWithoutReading(door, run, 10);
		expect(await sibling.call("GET", "/v1/variables/large")).toMatchObject({
			status: 429,
			body: {
				detail: `The calls of this namespace that are under way have too many bytes; the limit maxNamespacePendingBytes is ${4 * size}.`,
				limit: { name: "maxNamespacePendingBytes", value: 4 * size, unit: "bytes" },
			},
		});
		// Bodies are refused for the same reason.
		expect(await sibling.call("PUT", "/v1/output", large)).toMatchObject({
			status: 429,
			body: { limit: { name: "maxNamespacePendingBytes" } },
		});
		expect(await calm.call("GET", "/v1/variables/large")).toMatchObject({ status: 200 });
		await Promise.all(runs.map((one) => one.end()));
	});

	test("do not keep an effect that has happened from being acknowledged", async () => {
		await using door = await open({ maxPendingBytes: size });
		await door.host.variables().set("large", large);
		const run = await door.startRun();
		using _connection = await askWithoutReading(door, run, 2);
		expect((await run.call("GET", "/v1/condition")).status).toBe(429);
		expect(await run.call("POST", "/v1/variables/count/increment")).toMatchObject({ status: 200, text: "1" });
		await run.end();
	});
});

test("one answer has always room, however large, and one that has not changed needs none", async () => {
	await using door = await open({ maxPendingBytes: 65_536 });
	await door.host.variables().set("large", large);
	const run = await door.startRun();
	const { status, headers } = await run.call("GET", "/v1/variables/large");
	expect(status).toBe(200);
	using _connection = await askWithoutReading(door, run, 1);
	expect((await run.call("GET", "/v1/variables/large")).status).toBe(429);
	const unchanged = await run.call("GET", "/v1/variables/large", undefined, { "if-none-match": String(headers.etag) });
	expect(unchanged).toMatchObject({ status: 304, headers: { etag: headers.etag } });
	await run.end();
});

test("bodies are counted until their calls are answered", async () => {
	await using door = await open({ maxPendingBytes: 2 * size });
	const run = await door.startRun();
	const put = `PUT /v1/variables/large HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${run.token}\r\nContent-Type: application/json\r\nContent-Length: ${size}\r\n\r\n${large}`;
	using connection = await openConnection({ socketPath: door.socketPath as string });
	// They come faster than the disk takes them.
	connection.write(put.repeat(12));
	expect(await connection.received(/ 429 [\s\S]*\}/)).toContain('"name":"maxPendingBytes"');
	connection.socket.destroy();
	await connection.closed;
	await expect.poll(async () => (await run.call("PUT", "/v1/variables/large", large)).status, { interval: 5 }).toBe(200);
	await run.end();
});

test("who cuts connections gets no room while the host works on the calls that came over them", async () => {
	await using door = await openDoor();
	const run = await door.host.open({ limits: { maxPendingBytes: 2 * size, maxPendingCalls: 2 } });
	const traffic = new Traffic(door.host.limits);
	const calls = [traffic.admit(run), traffic.admit(run)] as const;
	for (const call of calls) {
		call.reserve(size);
		call.begin();
		call.close();
	}
	expect(() => traffic.admit(run)).toThrow(/maxPendingCalls/);
	calls[0].end();
	const next = traffic.admit(run);
	expect(() => next.reserve(size + 1)).toThrow(/maxPendingBytes/);
	calls[1].end();
	next.reserve(size + 1);
	next.close();
	traffic.admit(run).reserve(2 * size);
	run.end({ status: "succeeded" });
	await run.outcome;
});
