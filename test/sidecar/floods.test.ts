import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createServer as createHttpServer } from "../../host/http/server.ts";
import { HandshakeTurns } from "../../sidecar/handshake-turns.ts";
import { attachServer, endServer } from "../../sidecar/unheard-server.ts";
import { createDirectory } from "../cli/cronium.ts";
import { openConnection } from "../http/send-request.ts";
import { openDoors, type RunAtDoor } from "./doors.ts";

afterEach(() => void vi.useRealTimers());

const closed = (socket: Socket): Promise<unknown> =>
	new Promise((resolve) => socket.on("error", () => undefined).on("close", resolve));
const openTls = (run: RunAtDoor): Promise<TLSSocket> =>
	new Promise((resolve, reject) => {
		const socket = connectTls({ path: run.socketPath, servername: "localhost", ...run.tls });
		socket.once("error", reject).write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
		socket.once("data", () => resolve(socket));
	});

test("one connection over maxRunConnections is closed, those before it and other runs go on", async () => {
	await using doors = await openDoors();
	const run = await doors.openRun({ limits: { maxRunConnections: 3 } });
	const other = await doors.openRun();
	const kept = await Promise.all([openTls(run), openTls(run)]);
	// One that does not even shake hands is one.
	const silent = connect({ path: run.socketPath });
	await new Promise((resolve) => silent.once("connect", resolve));
	const excess = Array.from({ length: 20 }, () => connect({ path: run.socketPath }));
	await Promise.all(excess.map(closed));
	await expect(run.call("GET", "/v1/input")).rejects.toThrow();
	expect(await other.call("GET", "/v1/input")).toMatchObject({ status: 200 });
	kept[0]?.destroy();
	await expect.poll(async () => (await run.call("GET", "/v1/input").catch(() => undefined))?.status).toBe(200);
	for (const socket of [...kept, silent]) socket.destroy();
	await run.end();
	await other.end();
	expect(doors.internalErrors).toEqual([]);
});

test("with a listener for all runs, too", async () => {
	await using doors = await openDoors({ tcp: { host: "127.0.0.1", port: 0, names: [] } });
	const run = await doors.openRun({ limits: { maxRunConnections: 1 } });
	const other = await doors.openRun();
	const target = { url: `https://localhost:${doors.doors.port}` };
	const kept = connectTls({ host: "localhost", port: doors.doors.port as number, ...run.tls });
	kept.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
	await new Promise((resolve) => kept.once("data", resolve));
	await expect(run.call("GET", "/v1/input", { target })).rejects.toThrow();
	expect(await other.call("GET", "/v1/input", { target })).toMatchObject({ status: 200 });
	kept.destroy();
	await run.end();
	await other.end();
});

test("a flood of connections, of garbage and of handshakes that are never finished, keeps no other run from its helpers", async () => {
	await using doors = await openDoors({ limits: { maxHandshakesPerSecond: 20 } });
	const run = await doors.openRun({ limits: { maxRunConnections: 4, maxRunHandshakesPerSecond: 5 } });
	const other = await doors.openRun();
	let stop = false;
	let connections = 0;
	const flood = Array.from({ length: 6 }, async (_, index) => {
		while (!stop) {
			connections++;
			const socket =
				index % 3 === 0
					? connectTls({ path: run.socketPath, servername: "localhost", ...run.tls })
					: connect({ path: run.socketPath });
			if (index % 3 === 1) socket.write("GET / HTTP/1.1\r\n\r\n".repeat(100));
			const gone = closed(socket);
			await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, 20))]);
			socket.destroy();
			await gone;
		}
	});
	try {
		for (let call = 0; call < 10; call++) expect(await other.call("GET", "/v1/input")).toMatchObject({ status: 200 });
	} finally {
		stop = true;
		await Promise.all(flood);
	}
	expect(connections).toBeGreaterThan(20);
	// When the flood is over, the run itself is served again.
	await expect
		.poll(async () => (await run.call("GET", "/v1/input").catch(() => undefined))?.status, { timeout: 10_000 })
		.toBe(200);
	await run.end();
	await other.end();
	expect(doors.internalErrors).toEqual([]);
});

describe("handshakes", () => {
	/** As many turns of a clock as it takes for what is due. */
	const pass = async (milliseconds: number): Promise<void> => {
		for (let time = 0; time < milliseconds; time += 50) await vi.advanceTimersByTimeAsync(50);
	};

	test("those over the rate of a lane wait, others go on, and each gets its turn", async () => {
		vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "performance"] });
		const turns = new HandshakeTurns(100);
		const begun: string[] = [];
		const [slow, quick] = [turns.open(2), turns.open(50)];
		for (let index = 0; index < 6; index++) slow.add(() => begun.push("slow"));
		for (let index = 0; index < 6; index++) quick.add(() => begun.push("quick"));
		await pass(100);
		expect(begun).toEqual(["slow", "quick", "slow", "quick", "quick", "quick", "quick", "quick"]);
		await pass(1_000);
		expect(begun.filter((one) => one === "slow")).toHaveLength(4);
		await pass(1_500);
		expect(begun).toHaveLength(12);
		expect(vi.getTimerCount()).toBe(0);
	});

	test("lanes share the rate of all, whoever has more that wait", async () => {
		vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "performance"] });
		const turns = new HandshakeTurns(4);
		const begun: string[] = [];
		const [flood, other] = [turns.open(1_000), turns.open(1_000)];
		for (let index = 0; index < 1_000; index++) flood.add(() => begun.push("flood"));
		for (let index = 0; index < 4; index++) other.add(() => begun.push("other"));
		await pass(1_400);
		expect(begun.length).toBeLessThan(12);
		expect(begun.filter((one) => one === "other")).toHaveLength(4);
		flood[Symbol.dispose]();
		await pass(1_000);
		expect(begun.length).toBeLessThan(12);
		expect(vi.getTimerCount()).toBe(0);
	});
});

test("a request that is late is refused on connections that were handed over, too", async () => {
	const server = createHttpServer({ requestTimeoutMs: 200 });
	await attachServer(server);
	const listener = createServer((socket) => void server.server.emit("connection", socket));
	const socketPath = join(createDirectory(), "late.sock");
	await new Promise<void>((resolve) => listener.listen(socketPath, resolve));
	using connection = await openConnection({ socketPath });
	connection.write("GET / HTTP/1.1\r\nHost: a\r\n");
	expect(await connection.closed).toMatch(/^HTTP\/1\.1 408 /);
	await endServer(server);
	await new Promise((resolve) => listener.close(resolve));
});
